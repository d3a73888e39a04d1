/**
 * The direct protocol for large bodies: step 1 with `direct=1` gives a signed URL of the store, the bytes
 * go there, and `complete` has the service check and commit them.
 */
import { exchange } from "./exchange.ts";
import { ms, type PendingItem, type StartedUpload } from "../pending/pending_record.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import { type Attempt, exchangeTools, headersFor, onSentOf } from "./attempt.ts";
import { beginUpload, judgeStored } from "./send_two_requests.ts";
import { type Answer, judgeAnswer, type Verdict } from "./verdict.ts";

/** Signed URLs live for hours; one that ends sooner than the body needs is not begun with. */
const leastLifeMs = 60_000;

/** Sends an item by the direct protocol, resumably where the server is Supabase Storage. */
export async function sendDirect(
  item: PendingItem,
  bytes: StoredBytes,
  attempt: Attempt,
): Promise<Verdict> {
  let upload = item.upload;
  const usable = upload && upload.protocol !== "two_requests" && upload.complete_url &&
    ms(upload.expires_at) - attempt.clock.now() >= leastLifeMs;
  if (!usable || !upload) {
    const begun = await beginUpload(item, attempt, "direct");
    if ("verdict" in begun) return begun.verdict;
    const completeUrl = completeUrlOf(item, begun.answer);
    if (completeUrl === null) {
      const message = "the answer to direct=1 names no upload to complete";
      return { kind: "retry", reason: { code: "unexpected_answer", message } };
    }
    upload = { ...begun.upload, complete_url: completeUrl };
    await attempt.onBegun?.(upload);
  }
  const resumable = attempt.resumable && item.size > attempt.settings.resumable_above_bytes &&
    isSupabaseStorage(upload.url);
  const put = resumable
    ? await attempt.resumable!({ ...item, upload }, bytes, attempt)
    : await putWhole(item, upload, bytes, attempt);
  if (put.kind !== "stored") {
    return put.kind === "retry" ? { ...put, upload: put.upload ?? upload } : put;
  }
  const completed = await exchange(upload.complete_url!, {
    method: "POST",
    headers: headersFor(upload.complete_url!, item, attempt, {
      "content-type": "application/json",
    }),
    body: "{}",
    // The service hashes what was stored before it answers.
    bytes: item.size,
  }, exchangeTools(attempt));
  const verdict = "verdict" in completed ? completed.verdict : judgeStored(completed.answer, item);
  // The service has forgotten the stage (a project that was restored): the item isn't at fault.
  if (verdict.kind === "rejected" && verdict.reason.status === 404) {
    return { kind: "restart", reason: verdict.reason };
  }
  return verdict.kind === "retry" ? { ...verdict, upload } : verdict;
}

/** Whether a signed upload URL is one of Supabase Storage (which also takes TUS). */
function isSupabaseStorage(url: string): boolean {
  return new URL(url).pathname.includes("/storage/v1/object/upload/sign/");
}

async function putWhole(
  item: PendingItem,
  upload: StartedUpload,
  bytes: StoredBytes,
  attempt: Attempt,
): Promise<Verdict> {
  attempt.onProgress?.({ sent: 0, total: item.size });
  const sent = await exchange(upload.url, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" }, // the URL's signature is the credential
    body: await bytes.read(),
    bytes: item.size,
    onSent: onSentOf(item, attempt),
  }, exchangeTools(attempt));
  if ("verdict" in sent) return sent.verdict;
  const { answer } = sent;
  if (answer.status === 200 || answer.status === 201 || isAlreadyThere(answer)) {
    attempt.onProgress?.({ sent: item.size, total: item.size });
    return { kind: "stored", answer: null, duplicate: false };
  }
  return judgeStorePut(answer);
}

/** Supabase Storage answers a duplicate with HTTP 400 whose body says 409. */
function isAlreadyThere(answer: Answer): boolean {
  return answer.status === 409 || (answer.status === 400 && answer.json?.statusCode === "409");
}

/** The store's own errors: a signature that it no longer takes means a new stage, not a bad session. */
export function judgeStorePut(answer: Answer): Verdict {
  const verdict = judgeAnswer(answer);
  if (verdict.kind === "refused") return { kind: "restart", reason: verdict.reason };
  if (verdict.kind === "rejected" && answer.status !== 413) {
    return { kind: "restart", reason: verdict.reason };
  }
  return verdict.kind === "stored" ? { kind: "stored", answer: null, duplicate: false } : verdict;
}

function completeUrlOf(item: PendingItem, answer: Record<string, unknown>): string | null {
  const fields = (answer.fields ?? {}) as Record<string, unknown>;
  const url = answer.completeUrl ?? fields.completeUrl;
  if (typeof url === "string") return new URL(url, item.target_url).href;
  const id = answer.uploadId ?? answer.upload_id ?? answer.id ?? fields.uploadId;
  if (typeof id !== "string") return null;
  const target = new URL(item.target_url);
  return `${target.origin}${target.pathname.replace(/\/$/, "")}/${encodeURIComponent(id)}/complete`;
}
