/** The one-request protocol: `multipart/form-data` with `metadata` (JSON) and `file`. */
import { exchange } from "./exchange.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import {
  type Attempt,
  exchangeTools,
  fieldsOf,
  headersFor,
  onSentOf,
  targetOf,
} from "./attempt.ts";
import { judgeStored } from "./send_two_requests.ts";
import type { Verdict } from "./verdict.ts";

/** Sends an item in one request. */
export async function sendInOneRequest(
  item: PendingItem,
  bytes: StoredBytes,
  attempt: Attempt,
): Promise<Verdict> {
  const form = new FormData();
  form.set("metadata", JSON.stringify(fieldsOf(item)));
  form.set("file", new Blob([await bytes.read()], { type: "application/octet-stream" }), item.id);
  attempt.onProgress?.({ sent: 0, total: item.size });
  const target = targetOf(item, attempt).href;
  const sent = await exchange(target, {
    method: "POST",
    headers: headersFor(target, item, attempt, { "idempotency-key": item.id }),
    body: form,
    bytes: item.size,
    onSent: onSentOf(item, attempt),
  }, exchangeTools(attempt));
  const verdict = "verdict" in sent ? sent.verdict : judgeStored(sent.answer, item);
  if (verdict.kind === "stored") attempt.onProgress?.({ sent: item.size, total: item.size });
  return verdict;
}
