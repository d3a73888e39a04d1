/** The routes of uploads, described. */
import * as z from "zod";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import {
  plannedUploadSchema,
  storedUploadSchema,
  uploadLimitsSchema,
} from "../../shared/protocol/answers.ts";
import { multipartFieldsSchema, uploadFieldsSchema } from "../../shared/protocol/upload.ts";

const limits: ErrorCode[] = ["rate_limited", "quota_exceeded"];
const planning: ErrorCode[] = [
  "invalid_request",
  "invalid_name",
  "invalid_json",
  "empty_file",
  "invalid_offsets",
  "dataset_forbidden",
  "key_read_only",
  "dataset_deleted",
  "upload_deleted",
  "user_deleted",
  "upload_conflict",
  ...limits,
];
const bytes: ErrorCode[] = [
  "size_mismatch",
  "hash_mismatch",
  "not_parquet",
  "invalid_parquet",
  "unsupported_parquet",
  "page_too_large",
  "check_too_costly",
  "not_avro",
  "invalid_avro",
  "unsupported_avro",
  "row_count_mismatch",
];

export const uploadRoutes: RouteDescription[] = [
  {
    method: "post",
    path: "/battle-data/upload",
    operationId: "upload",
    summary: "Upload in one request, or step 1 of two",
    description:
      "JSON plans an upload and answers with an uploadUrl. multipart/form-data holds `metadata` (the same JSON; " +
      "size and hash may be left out) and `file`, and is stored at once. The same bytes for the same dataset, " +
      "table and period_tag are stored once; a second upload gets the first answer with `duplicate: true`.",
    access: "user",
    query: z.object({
      direct: z.literal("1").optional().describe("The bytes go to the store, not through us."),
      own_dataset: z.literal("1").optional().describe(
        "Where the dataset is another user's, one of your own takes its place; the answer's dataset_id says which. So it " +
          "is without it for datasets that are named by a SHA-256.",
      ),
      again: z.literal("1").optional().describe(
        "These bytes may have been uploaded and deleted before: they are wanted back.",
      ),
    }),
    headers: {
      "idempotency-key": "Names a one-request upload; another upload under it is refused.",
    },
    body: {
      "application/json": uploadFieldsSchema,
      "multipart/form-data": z.object({
        metadata: multipartFieldsSchema,
        file: z.string().describe("The file's bytes."),
      }),
    },
    answers: {
      200: {
        description: "Planned, or stored.",
        schema: z.union([plannedUploadSchema, storedUploadSchema]),
      },
    },
    problems: [...planning, "invalid_multipart", ...bytes],
  },
  ...(["post", "put"] as const).map((method): RouteDescription => ({
    method,
    path: "/battle-data/upload/{stage}",
    operationId: `uploadBytes_${method}`,
    summary: "Step 2: the raw bytes, to the uploadUrl of step 1",
    access: "token",
    body: { "application/octet-stream": "The body that step 1 described." },
    answers: { 200: { description: "Stored.", schema: storedUploadSchema } },
    problems: [
      "forbidden",
      "rate_limited",
      "stage_expired",
      "dataset_deleted",
      "upload_deleted",
      "user_deleted",
      "empty_file",
      "upload_conflict",
      "quota_exceeded",
      ...bytes,
      "dataset_forbidden",
    ],
  })),
  {
    method: "post",
    path: "/battle-data/upload/{stage}/complete",
    operationId: "completeUpload",
    summary: "The end of a direct upload: what is in the store is checked and kept",
    description:
      "Size, hash, footers and row counts are checked; pages are not decoded, as those of other uploads are: one " +
      "that can't be read is found by the merge, which puts its file in quarantine.",
    access: "user",
    answers: { 200: { description: "Stored.", schema: storedUploadSchema } },
    problems: [
      "not_found",
      "rate_limited",
      "stage_expired",
      "dataset_deleted",
      "upload_deleted",
      "user_deleted",
      "upload_conflict",
      "quota_exceeded",
      ...bytes,
      "dataset_forbidden",
    ],
  },
  {
    method: "get",
    path: "/battle-data/limits",
    operationId: "limits",
    summary: "How large an upload may be",
    access: "anyone",
    answers: { 200: { description: "The limits, in bytes.", schema: uploadLimitsSchema } },
    problems: [],
  },
];
