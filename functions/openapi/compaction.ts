/** The routes of compaction, compactor and dead-letter, described. */
import * as z from "zod";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import {
  acceptedSchema,
  deadLettersSchema,
  redrivenSchema,
  retriedSchema,
  runStatusSchema,
  scheduledSchema,
  storedFormSchema,
} from "../../shared/protocol/answers.ts";
import {
  compactionRequestSchema,
  deadLetterQuerySchema,
  redriveSchema,
  retryQuarantinedSchema,
  sanitizeRequestSchema,
  vacuumQuerySchema,
} from "../../shared/protocol/compaction.ts";
import { deploymentSchema } from "../../shared/protocol/deployment.ts";
import { formUploadSchema } from "../../shared/protocol/upload.ts";

export const compactionRoutes: RouteDescription[] = [
  {
    method: "post",
    path: "/compaction",
    operationId: "requestCompaction",
    summary: "Ask for compaction of a dataset, a table of it or one partition",
    access: "user",
    body: { "application/json": compactionRequestSchema },
    answers: { 202: { description: "Queued.", schema: acceptedSchema } },
    problems: ["invalid_request", "invalid_name", "invalid_json", "dataset_forbidden", "not_found"],
  },
  {
    method: "get",
    path: "/compaction",
    operationId: "health",
    summary: "Whether work goes on; with a secret key, the catalog's numbers too",
    access: "anyone",
    answers: {
      200: {
        description: "Health.",
        schema: z.object({
          status: z.enum(["ok", "degraded"]),
          version: z.string(),
          reasons: z.array(z.object({ code: z.string(), detail: z.string() })).optional(),
        }),
      },
    },
    problems: ["work_stuck"],
  },
  ...(["get", "post"] as const).map((method): RouteDescription => ({
    method,
    path: "/compaction/deployment",
    operationId: method === "get" ? "deployment" : "pingDeployment",
    summary:
      "What the functions have for a deployment: `deno task doctor` and the database's ping ask",
    access: "service",
    answers: { 200: { description: "Variables, keys' names, URLs.", schema: deploymentSchema } },
    problems: [],
  })),
  {
    method: "post",
    path: "/compaction/sanitize-state",
    operationId: "sanitizeState",
    summary: "The owner's trigger for all that is in debt",
    access: "user",
    body: { "application/json": sanitizeRequestSchema },
    answers: { 202: { description: "Queued.", schema: acceptedSchema } },
    problems: ["invalid_request", "invalid_json", "dataset_forbidden", "not_found"],
  },
  {
    method: "post",
    path: "/compaction/trigger-scheduled",
    operationId: "triggerScheduled",
    summary: "The nightly trigger: the datasets whose debt is oldest",
    access: "service",
    answers: {
      202: { description: "Queued.", schema: scheduledSchema },
    },
  },
  {
    method: "post",
    path: "/compaction/quarantine/retry",
    operationId: "retryQuarantined",
    summary: "Give files in quarantine another chance",
    access: "user",
    body: { "application/json": retryQuarantinedSchema },
    answers: {
      202: { description: "Queued.", schema: retriedSchema },
    },
    problems: ["invalid_request", "invalid_json", "dataset_forbidden", "not_found"],
  },
  {
    method: "post",
    path: "/compaction/upload",
    operationId: "uploadFragment",
    summary: "Store a file as a fragment of a table",
    access: "user",
    headers: { "idempotency-key": "Names this upload; another upload under it is refused." },
    body: {
      "multipart/form-data": z.object({
        ...formUploadSchema.shape,
        file: z.string().describe("The Parquet file's bytes."),
      }),
    },
    answers: {
      200: {
        description: "Stored.",
        schema: storedFormSchema,
      },
    },
    problems: [
      "invalid_request",
      "invalid_name",
      "invalid_multipart",
      "empty_file",
      "not_parquet",
      "invalid_parquet",
      "unsupported_parquet",
      "page_too_large",
      "check_too_costly",
      "dataset_forbidden",
      "upload_conflict",
      "rate_limited",
      "quota_exceeded",
    ],
  },
  {
    method: "get",
    path: "/compaction/status/{instanceId}",
    operationId: "runStatus",
    summary: "Where a run is",
    access: "user",
    answers: { 200: { description: "The run.", schema: runStatusSchema } },
    problems: ["run_not_found"],
  },
  {
    method: "get",
    path: "/compaction/dlq-status",
    operationId: "deadLetters",
    summary: "Runs that were given up, the latest first",
    access: "user",
    query: deadLetterQuerySchema,
    answers: { 200: { description: "Dead letters.", schema: deadLettersSchema } },
    problems: ["invalid_request", "invalid_cursor"],
  },
  {
    method: "post",
    path: "/compaction/dlq/redrive",
    operationId: "redrive",
    summary: "Give dead partitions another run",
    access: "user",
    body: { "application/json": redriveSchema },
    answers: {
      202: { description: "Queued.", schema: redrivenSchema },
    },
    problems: ["invalid_request", "invalid_json"],
  },
  {
    method: "post",
    path: "/compactor",
    operationId: "takeTurn",
    summary: "One worker's turn; the tick calls it",
    access: "service",
    answers: { 200: { description: "What was done." } },
    problems: ["catalog_failed", "schema_outdated"],
  },
  {
    method: "post",
    path: "/compactor/vacuum",
    operationId: "vacuum",
    summary: "Delete what no kept version shows; cron calls it",
    access: "service",
    query: vacuumQuerySchema,
    answers: { 200: { description: "What was deleted; with dry_run, what would be, and why." } },
    problems: ["catalog_failed", "schema_outdated", "store_failed"],
  },
  {
    method: "post",
    path: "/dead-letter",
    operationId: "drainDeadLetters",
    summary: "Drain the dead letters' queue into alerts",
    access: "service",
    answers: { 200: { description: "How many." } },
    problems: ["catalog_failed", "schema_outdated"],
  },
];
