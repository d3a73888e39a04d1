/** Errors of the SQL functions, and of the way to them, as {@link SedimentError}. */
import { type ErrorCode, type ErrorDetails, isErrorCode, SedimentError } from "../errors.ts";

/** What PostgREST and PostgreSQL drivers say of an error; `details` and `detail` are the same thing. */
export interface SqlErrorFields {
  /** SQLSTATE, PostgREST's own `PGRST…`, or empty when no answer came. */
  code?: string;
  message?: string;
  details?: string | null;
  detail?: string | null;
  hint?: string | null;
}

/** What a caller is told where the SQL function says no more; it does not know how a route names its fields. */
const usual: Partial<Record<ErrorCode, ErrorDetails>> = {
  dataset_forbidden: { field: "dataset_id", expected: "a dataset of yours" },
  invalid_cursor: { field: "cursor" },
  version_gone: { field: "version" },
  version_unknown: { field: "version" },
  // names that no schema has refused: an asset's extension
  invalid_name: { field: "key" },
  stage_expired: { expected: "a new upload, from step 1" },
};

/**
 * The SQL functions raise SQLSTATE `SD` + HTTP status with our code as the message, the sentence as the
 * detail and what was expected as the hint (see sediment.fail). Of the rest, what the caller sent is told
 * from what is broken here, and everything else counts as the catalog not answering.
 *
 * @param error what the driver gave
 * @param call the SQL function that was called, for the sentence
 */
export function sqlError(error: SqlErrorFields, call: string): SedimentError {
  const code = error.code ?? "";
  const message = error.message ?? "";
  const detail = error.details || error.detail || "";
  const hint = error.hint || undefined;

  if (/^SD\d{3}$/.test(code) && isErrorCode(message)) {
    const limit = limitOf(message, detail);
    return new SedimentError(message, detail || message, {
      ...usual[message],
      ...(limit !== undefined && { extra: { limit } }),
      ...(hint === undefined ? {} : { expected: hint }),
      retryAfterSeconds: retryAfter(hint),
      cause: error,
    });
  }
  const said = `${call}: ${message || "no answer"}${code ? ` (${code})` : ""}`;
  // 22xxx: a value that can't be read (a uuid, a time); 23502: a null where none may be
  if (/^22/.test(code) || code === "23502") {
    return new SedimentError("invalid_request", said, { cause: error });
  }
  // A key whose clock is ahead of PostgREST's, which hosted projects meet now and then: it passes by itself.
  if (code === "PGRST303") return new SedimentError("catalog_failed", said, { cause: error });
  // The function or its table isn't there, or this key may not call it: no retry mends that.
  if (
    /^PGRST(10|20|30)/.test(code) || ["42883", "42P01", "42501", "28P01", "3D000"].includes(code)
  ) {
    return new SedimentError("misconfigured", said, { cause: error });
  }
  // 23xxx, P0002 and the like: a rule of the schema that our own code broke.
  if (/^(23|P0|42)/.test(code)) return new SedimentError("internal", said, { cause: error });
  return new SedimentError("catalog_failed", said, { cause: error });
}

/** Whether a call found no SQL function of its name and arguments: by PostgREST's word, or by PostgreSQL's. */
export function isMissingFunction(error: unknown): boolean {
  const cause = error instanceof SedimentError ? error.cause as SqlErrorFields | undefined : error;
  return ["PGRST202", "42883"].includes((cause as SqlErrorFields | undefined)?.code ?? "");
}

/** The seconds of a hint "retry after N s". */
function retryAfter(hint: string | undefined): number | undefined {
  const match = /^retry after (\d+) s$/.exec(hint ?? "");
  return match ? Number(match[1]) : undefined;
}

/** The limit that a refusal names: the column of service_settings and user_limits with which its sentence begins. */
function limitOf(code: ErrorCode, detail: string): string | undefined {
  if (code !== "rate_limited" && code !== "quota_exceeded") return undefined;
  return /^([a-z_]+): /.exec(detail)?.[1];
}
