/**
 * Resumable sending of large bodies to Supabase Storage (TUS 1.0) with tus-js-client. The signed upload
 * token of the direct protocol stands for the caller (`x-signature`), so no session goes to the store.
 * A chunk at a time is in memory; a broken upload goes on where it was, also in another process.
 */
import { type HttpRequest, type HttpResponse, Upload } from "tus-js-client";
import type { Attempt, ResumableSender } from "./attempt.ts";
import { deadline } from "../../clock.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import type { StartedUpload } from "../pending/pending_record.ts";
import { judgeStorePut } from "./send_direct.ts";
import { judgeFailure, type Verdict } from "./verdict.ts";

/** Supabase Storage takes chunks of exactly 6 MiB (the last may be shorter). */
const chunkBytes = 6 * 1024 * 1024;

/** Sends an item's bytes; `stored` means that the store has them. To be given to `createUploader`. */
export const sendResumably: ResumableSender = async (item, bytes, attempt) => {
  const upload: StartedUpload = { ...item.upload!, protocol: "tus" };
  const signed = new URL(upload.url);
  const [root, path] = signed.pathname.split("/object/upload/sign/");
  const [bucketName, ...key] = path.split("/").map(decodeURIComponent);
  const { settings } = attempt;
  const limitMs = 1000 *
    (settings.timeout_seconds + chunkBytes / settings.slowest_bytes_per_second);
  let failed: { thrown: unknown; timedOut: boolean } | null = null;

  const outcome = await new Promise<Error | null>((resolve) => {
    const task = new Upload(new Blob([]), {
      endpoint: `${signed.origin}${root}/upload/resumable/sign`,
      uploadUrl: upload.tus_url ?? null,
      headers: { "x-signature": signed.searchParams.get("token") ?? "" },
      metadata: {
        bucketName,
        objectName: key.join("/"),
        contentType: "application/octet-stream",
        cacheControl: "3600",
      },
      chunkSize: chunkBytes,
      // The retry service is the one that retries.
      retryDelays: null,
      storeFingerprintForResuming: false,
      uploadDataDuringCreation: false,
      fileReader: { openFile: () => Promise.resolve(sourceOf(bytes)) },
      httpStack: {
        getName: () => "sediment",
        createRequest: (method: string, url: string) =>
          fetchRequest(method, url, attempt, limitMs, (thrown, timedOut) => {
            failed = { thrown, timedOut };
          }),
      },
      onUploadUrlAvailable: () => {
        upload.tus_url = task.url ?? undefined;
        void attempt.onBegun?.({ ...upload });
      },
      onChunkComplete: (_size, sent) => attempt.onProgress?.({ sent, total: item.size }),
      onSuccess: () => resolve(null),
      onError: (error) => resolve(error),
    });
    const onAbort = () => void task.abort().then(() => resolve(new Error("stopped")));
    if (attempt.signal.aborted) return onAbort();
    attempt.signal.addEventListener("abort", onAbort, { once: true });
    task.start();
  });
  const verdict = outcome === null ? stored : judge(outcome, failed, attempt);
  return verdict.kind === "retry" ? { ...verdict, upload } : verdict;
};

const stored: Verdict = { kind: "stored", answer: null, duplicate: false };

function judge(
  error: Error,
  failed: { thrown: unknown; timedOut: boolean } | null,
  attempt: Attempt,
): Verdict {
  const response = (error as { originalResponse?: HttpResponse | null }).originalResponse;
  if (!response) {
    return judgeFailure(failed?.thrown ?? error, {
      timedOut: failed?.timedOut ?? false,
      stopped: attempt.signal.aborted,
      online: globalThis.navigator?.onLine !== false,
    });
  }
  const status = response.getStatus(), text = response.getBody();
  // Creation is refused when the object is there: an earlier attempt's answer was lost.
  if (status === 409 && /exists/i.test(text)) return stored;
  // 409 and 423 of a chunk: another request still writes; what it wrote is seen by the next attempt.
  if (status === 409 || status === 423) {
    return { kind: "retry", reason: { code: "store_failed", status, message: text.slice(0, 200) } };
  }
  return judgeStorePut({ status, json: null, text, retryAfterMs: null });
}

function sourceOf(bytes: StoredBytes) {
  return {
    size: bytes.size,
    async slice(start: number, end: number) {
      const chunk = await bytes.slice(start, end);
      // tus-js-client asks a chunk for its `size`, as blobs have it, to know whether the source ended early.
      return { value: Object.assign(chunk, { size: chunk.length }), done: end >= bytes.size };
    },
    close() {},
  };
}

/** A request of tus-js-client over the attempt's fetch: one network stack, one way to judge failures. */
function fetchRequest(
  method: string,
  url: string,
  attempt: Attempt,
  limitMs: number,
  onFailure: (thrown: unknown, timedOut: boolean) => void,
): HttpRequest {
  const headers: Record<string, string> = {};
  const controller = new AbortController();
  return {
    getMethod: () => method,
    getURL: () => url,
    setHeader: (name, value) => void (headers[name] = value),
    getHeader: (name) => headers[name],
    setProgressHandler: () => {},
    async send(body) {
      const limit = deadline(attempt.clock, limitMs, controller.signal);
      try {
        const init: RequestInit = { method, headers, body: body ?? undefined, redirect: "manual" };
        const response = await attempt.fetch(url, { ...init, signal: limit.signal });
        const text = await response.text();
        return {
          getStatus: () => response.status,
          getHeader: (name) => response.headers.get(name) ?? undefined,
          getBody: () => text,
          getUnderlyingObject: () => response,
        };
      } catch (thrown) {
        onFailure(thrown, limit.timedOut());
        throw thrown;
      } finally {
        limit.done();
      }
    },
    abort: () => Promise.resolve(controller.abort()),
    getUnderlyingObject: () => null,
  };
}
