/** What both HTTP stores share: one request with typed failures, and reading what was asked for. */
import { SedimentError } from "../errors.ts";

/** What a request is for, for its errors. */
export interface RequestContext {
  /** A verb, such as `put`. */
  action: string;
  key: string;
  signal?: AbortSignal;
}

/** An error of the store that another try may not meet. */
export function failed(
  { action, key }: RequestContext,
  detail: string,
  cause?: unknown,
  retryAfter?: string | null,
): SedimentError {
  const seconds = Number(retryAfter);
  return new SedimentError("store_failed", `Could not ${action} ${key}: ${detail}`, {
    cause,
    retryAfterSeconds: retryAfter && Number.isFinite(seconds) ? seconds : undefined,
  });
}

/** What went wrong while a request or its body was on its way: `aborted` if its signal fired. */
export function brokenOff(context: RequestContext, thrown: unknown): SedimentError {
  if (thrown instanceof SedimentError) return thrown;
  if (context.signal?.aborted) {
    return new SedimentError("aborted", `Was told to stop: ${context.action} ${context.key}`, {
      cause: thrown,
    });
  }
  return failed(context, thrown instanceof Error ? thrown.message : String(thrown), thrown);
}

/** Sends one request, once. */
export async function sendRequest(
  send: typeof fetch,
  context: RequestContext,
  url: string,
  init: RequestInit,
): Promise<Response> {
  try {
    context.signal?.throwIfAborted();
    // `duplex` must be said for a stream and isn't in the type yet.
    const streaming = init.body instanceof ReadableStream ? { duplex: "half" } : {};
    return await send(url, { ...init, ...streaming, signal: context.signal });
  } catch (thrown) {
    // A body that was never taken still holds its source.
    if (init.body instanceof ReadableStream && !init.body.locked) {
      await init.body.cancel(thrown).catch(() => {});
    }
    throw brokenOff(context, thrown);
  }
}

/** A whole body; `store_failed` when it is shorter than its Content-Length said. */
export async function readExactly(
  context: RequestContext,
  response: Response,
): Promise<Uint8Array> {
  try {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const declared = response.headers.get("content-length");
    const encoded = response.headers.has("content-encoding");
    if (!encoded && declared !== null && Number(declared) !== bytes.byteLength) {
      throw failed(context, `${bytes.byteLength} bytes came of ${declared}`);
    }
    return bytes;
  } catch (thrown) {
    throw brokenOff(context, thrown);
  }
}

/** A JSON body; `store_failed` when it isn't one. */
export async function readJson<T>(context: RequestContext, response: Response): Promise<T> {
  try {
    return await response.json();
  } catch (thrown) {
    throw brokenOff(context, thrown);
  }
}

/** A stream that is sent on, with what `fetch` doesn't tell of it. */
export interface WatchedStream {
  stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes that went through. */
  count(): number;
  /** What its source failed with, if it did: fetch says only that a body broke. */
  failure(): unknown;
}

/** Watches a stream on its way into a request. */
export function watchStream(source: ReadableStream<Uint8Array>): WatchedStream {
  const reader = source.getReader();
  let bytes = 0;
  let failure: unknown;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        bytes += value.byteLength;
        controller.enqueue(value as Uint8Array<ArrayBuffer>);
      } catch (thrown) {
        failure = thrown;
        controller.error(thrown);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return { stream, count: () => bytes, failure: () => failure };
}

/**
 * The bytes of an answer to a Range request. A server that sends the whole body instead (200) is read only as
 * far as needed.
 */
export async function sliceOf(
  context: RequestContext,
  response: Response,
  start: number,
  length: number,
): Promise<Uint8Array> {
  if (response.status === 206) {
    const range = /^bytes (\d+)-(\d+)\//.exec(response.headers.get("content-range") ?? "");
    const bytes = await readExactly(context, response);
    const honest = !range ||
      (Number(range[1]) === start && Number(range[2]) - start + 1 === bytes.byteLength);
    if (!honest || bytes.byteLength > length) {
      throw failed(context, `asked for ${length} bytes from ${start}, got another range`);
    }
    return bytes;
  }
  const slice = new Uint8Array(length);
  let position = 0;
  let filled = 0;
  try {
    for await (const chunk of response.body ?? []) {
      const part = chunk.subarray(Math.max(0, start - position), start + length - position);
      slice.set(part, filled);
      filled += part.byteLength;
      position += chunk.byteLength;
      if (filled === length) break;
    }
  } catch (thrown) {
    throw brokenOff(context, thrown);
  }
  if (filled === 0) {
    throw new SedimentError(
      "range_not_satisfiable",
      `${context.key} has ${position} bytes; asked from ${start}`,
    );
  }
  return slice.subarray(0, filled);
}
