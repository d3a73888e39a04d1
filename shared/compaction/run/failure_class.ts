/**
 * Whose fault a failure is, decided in this one place and by the error's code alone: a status would not do, since the
 * SQL raises broken rules as 500 too. What follows from it: SPEC.md, "Four classes of failure".
 */
import { type ErrorCode, SedimentError } from "../../errors.ts";

/** The classes of failure. */
export type FailureClass =
  /** This input, and it alone: it is set aside, and costs the others nothing. */
  | "data"
  /** Our own work: a bug, a broken rule, a setting of this table. Costs an attempt. */
  | "work"
  /** What we stand on: store, catalog, keys, schema, wasm, disk, time of the turn. The attempt is given back. */
  | "environment"
  /** The worker was lost or killed: only the catalog sees it, by a lease that ran out. */
  | "worker";

/** The part of the environment that failed, which a probe tries again. */
export type FailedPart = "store_read" | "store_write" | "catalog" | "host";

const classes: Partial<Record<ErrorCode, FailureClass>> = {
  // the input: nothing else may set a file aside
  empty_file: "data",
  not_parquet: "data",
  invalid_parquet: "data",
  unsupported_parquet: "data",
  page_too_large: "data",
  not_avro: "data",
  invalid_avro: "data",
  unsupported_avro: "data",
  row_count_mismatch: "data",
  schema_incompatible: "data",
  // of an input, after a second look: SPEC.md, "Four classes of failure"
  object_missing: "data",
  object_changed: "data",
  worker_died: "data",

  // what stands around us
  store_failed: "environment",
  catalog_failed: "environment",
  // keys that are refused, functions or tables that are not there, a wasm module that is not the pinned one
  misconfigured: "environment",
  schema_outdated: "environment",
  server_unreachable: "environment",
  connection_lost: "environment",
  answer_timeout: "environment",
  unexpected_answer: "environment",
  aborted: "environment",

  lease_expired: "worker",
};

/** The class of an error; what is not listed is our own work, which costs attempts and no data. */
export function failureClass(error: Pick<SedimentError, "code">): FailureClass {
  return classes[error.code] ?? "work";
}

/** The same error, with the part of the environment where it happened; other classes are left as they are. */
export function atPart(error: SedimentError, part: FailedPart): SedimentError {
  if (failureClass(error) !== "environment" || error.code === "aborted") return error;
  const { code, message, field, expected, retryAfterSeconds, extra } = error;
  return new SedimentError(code, message, {
    field,
    expected,
    retryAfterSeconds,
    extra: { ...extra, part },
    cause: error.cause ?? error,
  });
}

/**
 * Work of which the next plan is another one: what it was made from has changed, or its output was more than an object of
 * the store may have, and comes to half as much then (`fail_compaction`).
 */
const plannedAnew: readonly ErrorCode[] = [
  "inputs_changed",
  "inputs_not_adjacent",
  "body_too_large",
];

/** Tries of an output that our own checks refuse, the second one planned smaller. */
const mostRefusals = 2;

/** Whether trying again can't help: the dead letters at once, without further attempts. */
export function isPermanent(error: SedimentError, attempt = 1): boolean {
  if (error.code === "output_refused") return attempt >= mostRefusals;
  return failureClass(error) !== "environment" && !error.retryable &&
    !plannedAnew.includes(error.code);
}

/**
 * The part of the environment that an error tells of.
 *
 * @returns null where nothing of it has failed: the turn was stopped
 */
export function failedPart(error: SedimentError): FailedPart | null {
  if (error.code === "aborted") return null;
  if (error.code === "catalog_failed" || error.code === "schema_outdated") return "catalog";
  if (error.extra?.part !== undefined) return error.extra.part as FailedPart;
  return error.code === "store_failed" ? "store_read" : "host";
}
