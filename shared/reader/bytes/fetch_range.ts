import { SedimentError } from "../../errors.ts";
import { type Deadline, startDeadline } from "./deadline.ts";
import { readBody } from "./read_body.ts";

/** How ranges are fetched. */
export interface RangeFetch {
  fetch: typeof fetch;
  /** Milliseconds without a byte after which a request is given up. */
  deadlineMs: number;
  /** Called once a request, and with the bytes that arrived. */
  count(requests: number, bytes: number): void;
  signal?: AbortSignal;
}

/** The address does not give the file any more: its signature has run out, or the object is gone. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/** What a server that ignores ranges may send of a file: no more is thrown away. */
const smallFile = 1024 * 1024;

/** Statuses that a signed URL has when it has run out or its object is gone; Storage answers 400 for both. */
const refusals = [400, 401, 403, 404, 410];

/**
 * Bytes [start, start + length) of a file at a URL, by one request. Only `Range: bytes=a-b` is sent, which needs no
 * preflight in a browser, and no header of the answer is read, as none is exposed there: the file's size is known.
 *
 * @param size bytes of the file
 * @throws Refused; SedimentError `server_unreachable`, `connection_lost`, `answer_timeout`, `store_failed`,
 * `unexpected_answer`
 */
export async function fetchRange(
  url: string,
  start: number,
  length: number,
  size: number,
  options: RangeFetch,
): Promise<Uint8Array> {
  const what = `bytes ${start} to ${start + length - 1} of ${withoutQuery(url)}`;
  const deadline = startDeadline(options.deadlineMs, what, options.signal);
  options.count(1, 0);
  try {
    const response = await answerOf(url, start, length, what, deadline.signal, options);
    deadline.extend();
    const whole = response.status === 200;
    const expected = whole ? size : length;
    const bytes = await bodyOf(response, expected, what, deadline);
    options.count(0, bytes.length);
    return whole ? bytes.subarray(start, start + length) : bytes;
  } catch (thrown) {
    if (deadline.signal.aborted) throw deadline.signal.reason;
    throw thrown;
  } finally {
    deadline.clear();
  }
}

async function answerOf(
  url: string,
  start: number,
  length: number,
  what: string,
  signal: AbortSignal,
  { fetch }: RangeFetch,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, {
      headers: { range: `bytes=${start}-${start + length - 1}` },
      signal,
    });
  } catch (cause) {
    throw new SedimentError("server_unreachable", `${what}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const { status } = response;
  if (status === 206) return response;
  if (status === 200) return response;
  await response.body?.cancel().catch(() => {});
  if (refusals.includes(status)) throw new Refused(status);
  const seconds = Number(response.headers.get("retry-after") ?? undefined);
  throw new SedimentError(
    status >= 500 || status === 429 ? "store_failed" : "unexpected_answer",
    `${what}: HTTP ${status}`,
    seconds > 0 ? { retryAfterSeconds: seconds } : {},
  );
}

/** A body of exactly so many bytes; no more than one piece over them is taken in. */
async function bodyOf(
  response: Response,
  expected: number,
  what: string,
  { signal, extend }: Deadline,
): Promise<Uint8Array> {
  if (response.status === 200 && expected > smallFile) {
    await response.body?.cancel().catch(() => {});
    throw new SedimentError(
      "misconfigured",
      `${what}: the server sends the whole file of ${expected} bytes instead of the range`,
      { expected: "a store, and whatever stands before it, that serves ranges" },
    );
  }
  const bytes = new Uint8Array(expected);
  let at = 0, fits = true;
  try {
    await readBody(response, signal, (piece) => {
      extend();
      fits = at + piece.length <= expected;
      if (fits) bytes.set(piece, at);
      at += piece.length;
      return fits;
    });
  } catch (cause) {
    throw new SedimentError("connection_lost", `${what}: ${(cause as Error).message}`, { cause });
  }
  if (at === expected) return bytes;
  throw new SedimentError(
    fits ? "connection_lost" : "unexpected_answer",
    `${what}: ${fits ? at : "more than the"} of ${expected} bytes came`,
  );
}

/** A signed URL's query is its key: it has no place in a message. */
function withoutQuery(url: string): string {
  return url.split("?")[0];
}
