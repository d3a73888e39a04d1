/** The routes by which data is read, described. */
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { manifestSchema, tablesSchema } from "../../shared/protocol/answers.ts";
import { manifestQuerySchema } from "../../shared/protocol/manifest.ts";
import { tablesQuerySchema } from "../../shared/protocol/tables.ts";

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

export const readerRoutes: RouteDescription[] = [
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
    path: "/battle-data/openapi.json",
    operationId: "openapi",
    summary: "This document",
    access: "anyone",
    answers: { 200: { description: "OpenAPI 3.1.", mediaType: "application/json" } },
  },
];
