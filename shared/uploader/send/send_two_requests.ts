/** The two-request protocol: ask for an upload URL, then send the bytes to it. */
import { exchange } from "./exchange.ts";
import { ms, type PendingItem, type StartedUpload } from "../pending/pending_record.ts";
import type { StoredBytes } from "../pending/pending_medium.ts";
import {
  type Attempt,
  exchangeTools,
  fieldsOf,
  headersFor,
  onSentOf,
  targetOf,
} from "./attempt.ts";
import { judgeAnswer, storedAnswerOf, type Verdict } from "./verdict.ts";

/** A started upload is resumed when its token lives at least this long. */
const leastLifeMs = 5_000;

/** Sends an item in two requests; goes straight to the second while the token of an earlier one lives. */
export async function sendInTwoRequests(
  item: PendingItem,
  bytes: StoredBytes,
  attempt: Attempt,
): Promise<Verdict> {
  let upload = item.upload;
  const now = attempt.clock.now();
  if (upload?.protocol !== "two_requests" || ms(upload.expires_at) - now < leastLifeMs) {
    const begun = await beginUpload(item, attempt, "two_requests");
    if ("verdict" in begun) return begun.verdict;
    upload = begun.upload;
  }
  attempt.onProgress?.({ sent: 0, total: item.size });
  const sent = await exchange(upload.url, {
    method: "PUT",
    headers: headersFor(upload.url, item, attempt, { "content-type": "application/octet-stream" }),
    body: await bytes.read(),
    bytes: item.size,
    onSent: onSentOf(item, attempt),
  }, exchangeTools(attempt));
  const verdict = "verdict" in sent ? sent.verdict : judgeStored(sent.answer, item);
  if (verdict.kind === "stored") attempt.onProgress?.({ sent: item.size, total: item.size });
  // The same token with the same bytes gets the first answer, so a lost answer costs one request.
  return verdict.kind === "retry" ? { ...verdict, upload } : verdict;
}

/** The answer to bytes: stored, or what it says instead. */
export function judgeStored(
  answer: Parameters<typeof judgeAnswer>[0],
  item: PendingItem,
): Verdict {
  const stored = storedAnswerOf(answer, item.size);
  return stored
    ? { kind: "stored", answer: stored, duplicate: stored.duplicate === true }
    : judgeAnswer(answer);
}

/**
 * A first request that something else than the service has answered (a hotel's login page): nothing of
 * the item has left, so it is the network's absence. A night in that hotel must not spend five attempts.
 */
function nothingSent(verdict: Verdict): Verdict {
  return verdict.kind === "retry" && verdict.reason.code === "unexpected_answer"
    ? { kind: "unreachable", reason: verdict.reason }
    : verdict;
}

/** The first request. An answer that is already the end (a duplicate known by its hash) is a verdict. */
export async function beginUpload(
  item: PendingItem,
  attempt: Attempt,
  protocol: "two_requests" | "direct",
): Promise<{ upload: StartedUpload; answer: Record<string, unknown> } | { verdict: Verdict }> {
  const url = targetOf(item, attempt);
  if (protocol === "direct") url.searchParams.set("direct", "1");
  const body = JSON.stringify(fieldsOf(item));
  const begun = await exchange(url.href, {
    method: "POST",
    headers: headersFor(url.href, item, attempt, {
      "content-type": "application/json",
      "idempotency-key": item.id,
    }),
    body,
    bytes: body.length,
  }, exchangeTools(attempt));
  if ("verdict" in begun) return begun;
  const { answer } = begun;
  // A duplicate is known by its hash: the first answer comes along, and no byte need be sent.
  const known = answer.json?.duplicate === true ? answer.json.stored : undefined;
  const first = { ...answer, json: (known ?? answer.json) as typeof answer.json };
  const stored = storedAnswerOf(first, item.size);
  if (stored) {
    return { verdict: { kind: "stored", answer: stored, duplicate: true } };
  }
  const text = answer.json?.uploadUrl, expiresAt = answer.json?.expiresAt;
  if (answer.status !== 200 || typeof text !== "string" || !URL.canParse(text, url)) {
    return { verdict: nothingSent(judgeAnswer(answer)) };
  }
  // Numbers of seconds and of milliseconds are both in the field.
  const expires = typeof expiresAt === "number"
    ? expiresAt * (expiresAt < 1e11 ? 1000 : 1)
    : Date.parse(String(expiresAt));
  const until = Number.isFinite(expires) ? expires : attempt.clock.now() + 60_000;
  return {
    answer: answer.json!,
    upload: {
      protocol,
      url: new URL(text, url).href,
      expires_at: new Date(until).toISOString(),
    },
  };
}
