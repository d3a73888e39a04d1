/** Errors on the wire: RFC 9457 `application/problem+json`. */
import { asSedimentError, errorKinds, SedimentError } from "../errors.ts";

/** The object that clients read. `code` is what they branch on; `detail` is for people. */
export interface Problem {
  /** RFC 9457 section 3.1.1; a URN of the code. */
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  /** The request field, header or file part that was wrong. */
  field?: string;
  /** What was expected there. */
  expected?: string;
  [extra: string]: unknown;
}

/**
 * The problem+json object of a thrown value. Errors of ours that are not the caller's doing keep their
 * code, but not their detail: that goes to the log under the request id.
 */
function toProblem(thrown: unknown, requestId: string): Problem {
  const error = asSedimentError(thrown);
  const ours = error.status >= 500;
  return {
    ...error.extra,
    type: `urn:sediment:problem:${error.code}`,
    title: errorKinds[error.code].title,
    status: error.status,
    detail: ours ? `${errorKinds[error.code].title}; see the log for ${requestId}` : error.message,
    code: error.code,
    request_id: requestId,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.expected === undefined ? {} : { expected: error.expected }),
  };
}

/** Seconds of Retry-After where nothing better is known: what a quota waits for is for its user to do. */
const usualWait: Record<number, number> = { 429: 3600, 503: 5 };

/** The answer to a thrown value, with `Retry-After` and `WWW-Authenticate` where they belong. */
export function problemResponse(thrown: unknown, requestId: string): Response {
  const error = asSedimentError(thrown);
  const headers = new Headers({ "content-type": "application/problem+json" });
  const wait = error.retryAfterSeconds ?? usualWait[error.status];
  if (wait !== undefined) headers.set("retry-after", String(Math.max(1, Math.ceil(wait))));
  if (error.status === 401) headers.set("www-authenticate", "Bearer");
  if (error.code === "method_not_allowed" && error.expected) headers.set("allow", error.expected);
  return new Response(JSON.stringify(toProblem(error, requestId)), {
    status: error.status,
    headers,
  });
}

/** One log line of an error that is not the caller's doing; causes are unwound. */
export function logProblem(thrown: unknown, requestId: string): void {
  const error = asSedimentError(thrown);
  if (error.status < 500) return;
  const causes: string[] = [];
  for (let cause = error.cause; cause !== undefined && causes.length < 5;) {
    causes.push(cause instanceof Error ? (cause.stack ?? cause.message) : causeText(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  console.error(JSON.stringify({
    level: "error",
    request_id: requestId,
    code: error.code,
    detail: error.message,
    causes,
  }));
}

/** A cause that is no Error: PostgREST's errors are plain objects. */
function causeText(cause: unknown): string {
  if (typeof cause !== "object") return String(cause);
  try {
    return JSON.stringify(cause).slice(0, 2_000);
  } catch {
    return Object.prototype.toString.call(cause);
  }
}

/** The problem of an address that nothing answers. */
export function notFound(path: string): SedimentError {
  return new SedimentError("not_found", `Nothing answers at ${path}`, {
    field: "path",
    expected: "a route of /battle-data/openapi.json",
  });
}
