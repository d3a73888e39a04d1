/**
 * Every error that Sediment gives on purpose, in one table: its stable code, the HTTP status it maps
 * to, and whether trying again unchanged can help. SQL functions raise the same codes (SQLSTATE `SD` +
 * status, the code as message), so one word means one thing in SQL, TypeScript and HTTP.
 */

interface ErrorKind {
  /** HTTP status of the problem+json answer. */
  status: number;
  /** One short sentence for people; RFC 9457 `title`. */
  title: string;
  /** Whether the same call may succeed later without a change by the caller. */
  retryable?: true;
}

/** code → status, title, retryable. Add a code here before raising it anywhere. */
export const errorKinds = {
  // requests
  invalid_request: { status: 400, title: "The request is not well formed" },
  invalid_name: { status: 400, title: "A name has characters or a length that are not allowed" },
  invalid_json: { status: 400, title: "The body is not JSON of the expected shape" },
  invalid_multipart: { status: 400, title: "The multipart body lacks a part or is broken" },
  invalid_cursor: { status: 400, title: "The cursor is not one that this service gave" },
  not_found: { status: 404, title: "There is nothing here" },
  method_not_allowed: { status: 405, title: "This route does not take that method" },
  body_too_large: { status: 413, title: "The body is over the limit" },
  body_stalled: { status: 408, title: "The body did not arrive in time", retryable: true },
  rate_limited: { status: 429, title: "Too many requests", retryable: true },
  quota_exceeded: { status: 429, title: "The quota is used up", retryable: true },
  // who
  unauthenticated: { status: 401, title: "A valid token is needed" },
  forbidden: { status: 403, title: "This is not yours" },
  dataset_forbidden: { status: 403, title: "This dataset is not yours" },
  key_invalid: { status: 401, title: "The key is not known, has expired or was revoked" },
  key_read_only: { status: 403, title: "A key's session reads, and does nothing else" },
  // uploads
  size_mismatch: { status: 422, title: "The body's size is not the size that was declared" },
  hash_mismatch: { status: 422, title: "The body's SHA-256 is not the hash that was declared" },
  empty_file: { status: 422, title: "The file is empty" },
  not_parquet: { status: 422, title: "The bytes are not a Parquet file" },
  invalid_parquet: { status: 422, title: "The Parquet file is broken" },
  unsupported_parquet: { status: 422, title: "The Parquet file uses a feature that is refused" },
  page_too_large: { status: 422, title: "A page is over the configured limit" },
  check_too_costly: { status: 422, title: "Checking the file would cost more than a request may" },
  not_avro: { status: 422, title: "The bytes are not an Avro Object Container File" },
  invalid_avro: { status: 422, title: "The Avro file is broken" },
  unsupported_avro: { status: 422, title: "The Avro file uses a feature that is refused" },
  invalid_offsets: { status: 422, title: "The table offsets do not fit the body" },
  row_count_mismatch: { status: 422, title: "A slice has another row count than was declared" },
  upload_conflict: { status: 422, title: "This body was already uploaded with other offsets" },
  already_stored: { status: 409, title: "Already stored" },
  token_invalid: { status: 401, title: "The upload token is not one that this service signed" },
  token_expired: { status: 410, title: "The upload token has expired; ask for a new one" },
  stage_expired: { status: 410, title: "The staged upload has expired; ask for a new one" },
  // readers
  version_gone: { status: 410, title: "That version is no longer kept" },
  dataset_deleted: { status: 410, title: "This dataset, table or period was deleted" },
  provenance_unknown: {
    status: 422,
    title: "The upload's rows were merged with others, and can't be told from them",
  },
  upload_deleted: { status: 410, title: "These bytes were uploaded before, and deleted" },
  user_deleted: { status: 410, title: "This user was deleted" },
  invitation_gone: { status: 410, title: "The invitation was used, revoked or has expired" },
  version_unknown: { status: 404, title: "That version does not exist" },
  precondition_failed: { status: 412, title: "The file is not the one that If-Match names" },
  range_not_satisfiable: { status: 416, title: "The range is outside of the file" },
  // runs
  run_not_found: { status: 404, title: "There is no such run" },
  lease_lost: { status: 409, title: "Another worker holds the partition" },
  inputs_changed: { status: 409, title: "An input of the run is no longer visible" },
  inputs_not_adjacent: { status: 409, title: "A file between the inputs is not among them" },
  run_finished: { status: 409, title: "The run has already ended" },
  schema_incompatible: { status: 422, title: "The schemas cannot be merged without loss" },
  merge_too_large: { status: 507, title: "The merge needs more memory than there is" },
  output_refused: { status: 500, title: "The merge wrote a file that we would not take" },
  merge_rows_differ: { status: 500, title: "The merge wrote another row count than it read" },
  run_timeout: { status: 504, title: "The run passed its time limit" },
  lease_expired: {
    status: 504,
    title: "The worker stopped without an answer",
    retryable: true,
  },
  invalid_message: { status: 422, title: "The queue message is not of the known shape" },
  // the uploader's own (never an HTTP answer of ours; the status is what a peer would give)
  pending_full: { status: 507, title: "The pending folder is full" },
  pending_unusable: { status: 500, title: "The pending folder can't be read or written" },
  file_unreadable: { status: 500, title: "A file that was to be uploaded can't be read" },
  record_unreadable: { status: 500, title: "The record of a pending item is broken" },
  bytes_missing: { status: 500, title: "The bytes of a pending item are gone" },
  bytes_changed: {
    status: 422,
    title: "The bytes of a pending item are not those that were saved",
  },
  attempts_exhausted: { status: 503, title: "The last attempt has failed" },
  upload_expired: { status: 410, title: "The pending item is older than its time to live" },
  server_unreachable: { status: 503, title: "The server can't be reached", retryable: true },
  connection_lost: { status: 503, title: "The connection broke off", retryable: true },
  answer_timeout: { status: 504, title: "The server did not answer in time", retryable: true },
  unexpected_answer: { status: 502, title: "The answer is not the service's", retryable: true },
  not_signed_in: { status: 401, title: "There is no session to upload with" },
  invalid_config: { status: 400, title: "A setting is not valid" },
  // parts that Sediment stands on
  store_failed: {
    status: 503,
    title: "The object store did not answer as expected",
    retryable: true,
  },
  object_missing: { status: 500, title: "The object store does not hold an object that it should" },
  object_changed: { status: 500, title: "An object's bytes are not those that were stored" },
  worker_died: { status: 500, title: "Workers died of this file, and of it alone" },
  work_stuck: { status: 503, title: "Compaction does not go on", retryable: true },
  auth_failed: {
    status: 503,
    title: "Supabase Auth did not answer as expected",
    retryable: true,
  },
  catalog_failed: { status: 503, title: "The catalog did not answer", retryable: true },
  schema_outdated: {
    status: 503,
    title: "The catalog is older than this function; it is being upgraded",
    retryable: true,
  },
  aborted: { status: 503, title: "The work was stopped before it was done", retryable: true },
  // the embedded stack (supabase/local); never an HTTP answer
  port_taken: { status: 500, title: "The port is taken" },
  state_in_use: { status: 500, title: "Another stack runs on this state folder" },
  state_outdated: { status: 500, title: "The state folder was made by other migrations" },
  part_missing: { status: 500, title: "A part of the embedded Supabase is not installed" },
  part_failed: { status: 500, title: "A part of the embedded Supabase did not start" },
  // the service itself
  misconfigured: { status: 500, title: "The service is not configured" },
  internal: { status: 500, title: "Something went wrong on our side", retryable: true },
} as const satisfies Record<string, ErrorKind>;

/** The stable code of an error; never renamed once released. */
export type ErrorCode = keyof typeof errorKinds;

/** What a {@link SedimentError} carries beside its code. */
export interface ErrorDetails {
  /** The request field, header, table column or file part that was wrong. */
  field?: string;
  /** What was expected there, in words or as a pattern. */
  expected?: string;
  /** Seconds after which another try makes sense; becomes Retry-After. */
  retryAfterSeconds?: number;
  /** More facts for the client, added to the problem+json object as they are. */
  extra?: Record<string, unknown>;
  /** The error that led to this one. */
  cause?: unknown;
}

/** An error with a stable code. Whether it can be retried is a property of the code, not a guess. */
export class SedimentError extends Error {
  override readonly name = "SedimentError";
  readonly code: ErrorCode;
  readonly field?: string;
  readonly expected?: string;
  readonly retryAfterSeconds?: number;
  readonly extra?: Record<string, unknown>;

  /**
   * @param code a code of {@link errorKinds}
   * @param detail what was wrong and where, in one sentence, with the values that were seen
   */
  constructor(code: ErrorCode, detail: string, details: ErrorDetails = {}) {
    super(storable(detail), { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.expected = details.expected;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.extra = details.extra;
  }

  /** The HTTP status of this error. */
  get status(): number {
    return errorKinds[this.code].status;
  }

  /** Whether the same call may succeed later without a change by the caller. */
  get retryable(): boolean {
    return (errorKinds[this.code] as ErrorKind).retryable === true;
  }
}

/**
 * A text as PostgreSQL and JSON can hold it: a name that was cut within a character, or that holds U+0000, must not keep
 * what it is said of from being told.
 */
function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Any thrown value as a {@link SedimentError}; unknown ones become `internal` and keep their cause. */
export function asSedimentError(thrown: unknown): SedimentError {
  if (thrown instanceof SedimentError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SedimentError("internal", message, { cause: thrown });
}

/** Whether a word from outside (SQL, a dead letter) is a code that we know. */
export function isErrorCode(word: unknown): word is ErrorCode {
  return typeof word === "string" && Object.hasOwn(errorKinds, word);
}
