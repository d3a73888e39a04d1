/** The routes of battle-data, described. */
import * as z from "zod";
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import {
  manifestSchema,
  plannedUploadSchema,
  storedUploadSchema,
  tablesSchema,
  uploadLimitsSchema,
} from "../../shared/protocol/answers.ts";
import { deletionReceipt } from "../../shared/catalog/deletion_results.ts";
import { deletionQuerySchema } from "../../shared/protocol/deletion.ts";
import { manifestQuerySchema } from "../../shared/protocol/manifest.ts";
import { tablesQuerySchema } from "../../shared/protocol/tables.ts";
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
const reading: ErrorCode[] = [
  "invalid_request",
  "dataset_forbidden",
  "dataset_deleted",
  "user_deleted",
  "not_found",
  "version_gone",
];

const partial: RouteDescription["answers"] = {
  206: { description: "The range.", mediaType: "application/vnd.apache.parquet" },
};

export const battleDataRoutes: RouteDescription[] = [
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
    path: "/battle-data/chunks",
    operationId: "listFiles",
    summary: "The data files of a version; a cursor stays at its version",
    access: "user",
    query: manifestQuerySchema,
    answers: { 200: { description: "A page of the manifest.", schema: manifestSchema } },
    problems: [...reading, "invalid_name", "invalid_cursor", "version_unknown"],
  },
  {
    method: "get",
    path: "/battle-data/latest",
    operationId: "latestFiles",
    summary: "The same with signed URLs",
    access: "user",
    query: manifestQuerySchema,
    answers: { 200: { description: "A page of the manifest.", schema: manifestSchema } },
    problems: [...reading, "invalid_name", "invalid_cursor", "version_unknown"],
  },
  {
    method: "get",
    path: "/battle-data/tables",
    operationId: "listTables",
    summary: "The tables of a version: columns, rows, bytes and periods",
    description:
      "Columns are the union of what the files hold, as compaction unites them. A page looks at so many files; a " +
      "table, or a period, that does not fit goes on in the next page, and its sums add up.",
    access: "user",
    query: tablesQuerySchema,
    answers: { 200: { description: "A page of the tables.", schema: tablesSchema } },
    problems: [...reading, "invalid_name", "invalid_cursor", "version_unknown"],
  },
  ...(["get", "head"] as const).map((method): RouteDescription => ({
    method,
    path: "/battle-data/files/{id}/content",
    operationId: `fileContent_${method}`,
    summary: "A data file's bytes, with Range; by a signed URL, or as its owner or a member",
    access: "token",
    headers: {
      "if-match": "An ETag.",
      "if-none-match": "An ETag.",
      ...(method === "get" ? { range: "bytes=…, one range.", "if-range": "An ETag." } : {}),
    },
    answers: {
      200: { description: "The file.", mediaType: "application/vnd.apache.parquet" },
      304: { description: "It is what you have." },
      ...(method === "get" ? partial : {}),
    },
    problems: [
      "unauthenticated",
      ...reading,
      "precondition_failed",
      ...(method === "get" ? ["range_not_satisfiable"] as const : []),
    ],
  })),
  {
    method: "get",
    path: "/battle-data/limits",
    operationId: "limits",
    summary: "How large an upload may be",
    access: "anyone",
    answers: { 200: { description: "The limits, in bytes.", schema: uploadLimitsSchema } },
    problems: [],
  },
  ...([
    ["", "Delete a dataset", "deleteDataset"],
    ["/tables/{table}", "Delete a table of a dataset", "deleteTable"],
    ["/periods/{period}", "Delete a period of all tables of a dataset", "deletePeriod"],
    ["/tables/{table}/periods/{period}", "Delete a period of one table", "deleteTablePeriod"],
  ] as const).map(([path, summary, operationId]): RouteDescription => ({
    method: "delete",
    path: `/battle-data/datasets/{dataset}${path}`,
    operationId,
    summary,
    description:
      "Gone with the next version, which the receipt names; older versions stay readable for their retention. With " +
      "purge=now they end at once, and the objects are deleted. A dataset's id stays taken.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: {
        description: "Gone for readers; files or objects are still being taken away.",
        schema: deletionReceipt,
      },
    },
    problems: ["invalid_request", "not_found", "dataset_forbidden"],
  })),
  {
    method: "delete",
    path: "/battle-data/uploads/{upload}",
    operationId: "deleteUpload",
    summary: "Delete the rows of one upload",
    description:
      "The id is the one in the upload's `key`. What merges have taken into files of many uploads is `pending`: it goes " +
      "when these are written anew, within minutes. Where such a file doesn't say which rows came from which upload: " +
      "provenance_unknown.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: {
        description:
          "Pending, or gone for readers and still stored: the receipt says which, and tells when it is done.",
        schema: deletionReceipt,
      },
    },
    problems: ["invalid_request", "not_found", "upload_deleted", "provenance_unknown"],
  },
  {
    method: "delete",
    path: "/battle-data/users/{user}",
    operationId: "deleteUser",
    summary: "Delete all that a user has",
    description:
      "Datasets, assets and what limits have counted. The user is refused from then on, for good. A user who is deleted " +
      "in Auth is deleted here too.",
    access: "user",
    query: deletionQuerySchema,
    answers: {
      200: { description: "Done.", schema: deletionReceipt },
      202: { description: "Begun; the receipt says how far it is.", schema: deletionReceipt },
    },
    problems: ["invalid_request", "key_read_only"],
  },
  {
    method: "get",
    path: "/battle-data/deletions/{deletion}",
    operationId: "deletionStatus",
    summary: "The receipt of a deletion",
    access: "user",
    answers: { 200: { description: "What was deleted when.", schema: deletionReceipt } },
    problems: ["invalid_request", "not_found"],
  },
  {
    method: "get",
    path: "/battle-data/openapi.json",
    operationId: "openapi",
    summary: "This document",
    access: "anyone",
    answers: { 200: { description: "OpenAPI 3.1.", mediaType: "application/json" } },
  },
];
