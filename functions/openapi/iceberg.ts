/** The routes of the Iceberg REST catalog, described; their bodies are the specification's. */
import type { ErrorCode } from "../../shared/errors.ts";
import type { RouteDescription } from "../../shared/http/openapi.ts";
import { lakePageSchema } from "../../shared/protocol/lake_page.ts";
import { signRequestSchema } from "../../shared/protocol/sign_request.ts";

const namespace = "/iceberg/v1/namespaces/{namespace}";
const table = `${namespace}/tables/{table}`;

const reading: ErrorCode[] = [
  "invalid_request",
  "not_found",
  "dataset_forbidden",
  "user_deleted",
];

const delegation = {
  "x-iceberg-access-delegation":
    "vended-credentials, remote-signing: what opens the table's files is wanted.",
};

/** A route that signs. */
function sign(path: string, operationId: string, summary: string): RouteDescription {
  return {
    method: "post",
    path,
    operationId,
    summary,
    access: "user",
    body: { "application/json": signRequestSchema },
    answers: { 200: { description: "RemoteSignResult.", mediaType: "application/json" } },
    problems: [...reading, "invalid_json", "method_not_allowed"],
  };
}

/** A route that is read, as its answer's schema in the specification is called. */
function read(
  method: "get" | "head",
  path: string,
  operationId: string,
  summary: string,
  answer: string,
  { query, problems = reading }: Partial<Pick<RouteDescription, "query" | "problems">> = {},
): RouteDescription {
  return {
    method,
    path,
    operationId: `iceberg${operationId}${method === "head" ? "_head" : ""}`,
    summary,
    access: "user",
    ...(path.startsWith(table) && { headers: delegation }),
    ...(query && { query }),
    answers: { 200: { description: answer, mediaType: "application/json" } },
    problems,
  };
}

export const icebergRoutes: RouteDescription[] = [
  read("get", "/iceberg/v1/config", "Config", "The catalog's configuration", "CatalogConfig.", {
    problems: ["invalid_request"],
  }),
  {
    method: "post",
    path: "/iceberg/v1/oauth/tokens",
    operationId: "icebergToken",
    summary: "A token for a read-only key or a secret key, as OAuth 2 client credentials",
    access: "anyone",
    body: { "application/x-www-form-urlencoded": "client_secret=…, or Authorization: Basic." },
    answers: { 200: { description: "OAuthTokenResponse.", mediaType: "application/json" } },
    problems: ["key_invalid", "rate_limited"],
  },
  read(
    "get",
    "/iceberg/v1/namespaces",
    "Namespaces",
    "The datasets that a user may read; of a service `lake`, all of them together",
    "ListNamespacesResponse.",
    { query: lakePageSchema },
  ),
  ...(["get", "head"] as const).flatMap((method) => [
    read(method, namespace, "Namespace", "Whether a namespace is there", "GetNamespaceResponse."),
    read(
      method,
      table,
      "Table",
      "A table: its metadata, and what opens its files",
      "LoadTableResult.",
      { problems: [...reading, "catalog_failed"] },
    ),
  ]),
  read("get", `${namespace}/tables`, "Tables", "The tables of a namespace", "ListTablesResponse.", {
    query: lakePageSchema,
  }),
  read(
    "get",
    `${table}/credentials`,
    "Credentials",
    "What opens a table's files, anew",
    "LoadCredentialsResponse.",
  ),
  sign(
    `${table}/sign`,
    "icebergSign",
    "Signs a request that reads one of the table's objects, where the store is an S3 other than Supabase's",
  ),
  sign(
    "/iceberg/v1/aws/s3/sign",
    "icebergSignS3",
    "The same for an object of any table, as older clients ask",
  ),
];
