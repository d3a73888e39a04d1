/** What one attempt came to, judged from an answer or from the lack of one. Pure. */
import { errorKinds, isErrorCode } from "../../errors.ts";
import type { StartedUpload } from "../pending/pending_record.ts";
import type { Reason } from "../reason.ts";

/** What the service says of a stored upload. */
export interface StoredAnswer {
  key: string;
  size?: number;
  uploaded_at?: string;
  metricId?: string;
  duplicate?: boolean;
  [more: string]: unknown;
}

/** The end of one attempt. */
export type Verdict =
  /** The service has it. `answer` is null after a 409, which carries none. */
  | { kind: "stored"; answer: StoredAnswer | null; duplicate: boolean }
  /** It may go well another time; an attempt is spent, unless it was a limit of the user's that said no. */
  | {
    kind: "retry";
    reason: Reason;
    retryAfterMs?: number;
    upload?: StartedUpload | null;
    limited?: true;
  }
  /** The network is down, or the server is, or it is being upgraded. No attempt is spent. */
  | { kind: "unreachable"; reason: Reason }
  /** 401 or 403. `wide`: the session is at fault, so everything else would be refused too. */
  | { kind: "refused"; reason: Reason; wide: boolean }
  /** It will never go well as it is. */
  | { kind: "rejected"; reason: Reason }
  /** The token or the stage of the second request is gone: start again at the first. */
  | { kind: "restart"; reason: Reason }
  /** The caller, or the service's stop, ended it. */
  | { kind: "stopped"; reason: Reason };

/** An HTTP answer, read and bounded. */
export interface Answer {
  status: number;
  /** The body as JSON object, or null when it isn't one. */
  json: Record<string, unknown> | null;
  /** The beginning of the body, for people. */
  text: string;
  retryAfterMs: number | null;
}

/** The problem code of an answer (RFC 9457 member `code`), or "". */
function codeOf(answer: Answer): string {
  return typeof answer.json?.code === "string" ? answer.json.code : "";
}

/** The stored answer in an answer, or null when it is not one: a captive portal's 200 deletes nothing. */
export function storedAnswerOf(answer: Answer, size: number): StoredAnswer | null {
  const { json } = answer;
  if (answer.status !== 200 && answer.status !== 201) return null;
  if (json === null || typeof json.key !== "string" || json.key === "") return null;
  if (json.size !== undefined && Number(json.size) !== size) return null;
  return json as StoredAnswer;
}

/** Judges an answer that is not the success its step hoped for. */
export function judgeAnswer(answer: Answer): Verdict {
  const { status } = answer;
  const code = codeOf(answer);
  const detail = typeof answer.json?.detail === "string" ? answer.json.detail : answer.text;
  const reason: Reason = { code: code || `http_${status}`, status, message: detail.slice(0, 500) };
  const retryAfterMs = answer.retryAfterMs ?? undefined;

  // 409 means 'already stored' and nothing else; a proxy's own 409 has no code.
  if (status === 409 && code === "already_stored") {
    return { kind: "stored", answer: null, duplicate: true };
  }
  // The service is being upgraded and has looked at nothing: it is as if it were not there.
  if (code === "schema_outdated") return { kind: "unreachable", reason };
  if (["token_expired", "stage_expired", "token_invalid"].includes(code)) {
    return { kind: "restart", reason };
  }
  if (status === 401) return { kind: "refused", reason, wide: true };
  // Another's dataset says nothing of the session: the rest of the batch goes on.
  if (status === 403) return { kind: "refused", reason, wide: code !== "dataset_forbidden" };
  const mayPass = isErrorCode(code)
    ? "retryable" in errorKinds[code]
    : status === 407 || status === 408 || status === 425 || status === 429;
  if (status >= 400 && status < 500 && !mayPass) return { kind: "rejected", reason };
  if (status === 429) return { kind: "retry", reason, retryAfterMs, limited: true };
  if (status >= 400) return { kind: "retry", reason, retryAfterMs };
  // 2xx of somebody else, 3xx, and a browser's opaque redirect (0)
  const message = `HTTP ${status} that is not the service's answer: ${answer.text.slice(0, 200)}`;
  return { kind: "retry", reason: { code: "unexpected_answer", status, message } };
}

// Node's codes (on `cause`, or on the errors of an AggregateError when several addresses were tried).
const unreachableCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENETUNREACH",
  "ENETDOWN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * Judges a fetch that threw. Only what surely sent nothing is `unreachable`: five minutes without
 * network must not spend five attempts, but a connection that broke may have carried the bytes.
 *
 * @param online false when the system says that there is no network (`navigator.onLine`)
 */
export function judgeFailure(
  thrown: unknown,
  facts: { timedOut: boolean; stopped: boolean; online: boolean },
): Verdict {
  const error = thrown as { message?: string; cause?: unknown } | null;
  const cause = error?.cause as
    | { code?: string; message?: string; errors?: { code?: string }[] }
    | undefined;
  const text = [error?.message ?? String(thrown), cause?.message].filter(Boolean).join(": ");
  const message = text.slice(0, 500);
  if (facts.stopped) return { kind: "stopped", reason: { code: "aborted", message } };
  if (facts.timedOut) return { kind: "retry", reason: { code: "answer_timeout", message } };
  const codes = [cause?.code, ...(cause?.errors ?? []).map((one) => one.code)];
  const unreachable = !facts.online || codes.some((code) => unreachableCodes.has(code ?? "")) ||
    // Deno (hyper) says it in the text: "client error (Connect)".
    /client error \(Connect\)/.test(text);
  return unreachable
    ? { kind: "unreachable", reason: { code: "server_unreachable", message } }
    : { kind: "retry", reason: { code: "connection_lost", message } };
}
