/** `GET /iceberg/v1/config`. */
import type { Services } from "../services.ts";
import { catalogCaller } from "./caller.ts";
import { signingKey } from "./store_access.ts";

/** What the catalog answers, as clients of the specification's newer versions ask for. */
const endpoints = [
  "GET /v1/{prefix}/namespaces",
  "GET /v1/{prefix}/namespaces/{namespace}",
  "HEAD /v1/{prefix}/namespaces/{namespace}",
  "GET /v1/{prefix}/namespaces/{namespace}/tables",
  "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
  "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
  "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
];
const signing = "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign";

/** The catalog's configuration; whatever warehouse a client names, it is this one. */
export async function serveConfig(services: Services, request: Request): Promise<Response> {
  await catalogCaller(services, request);
  const signs = signingKey(services) !== null;
  return Response.json({
    defaults: {},
    overrides: {},
    endpoints: signs ? [...endpoints, signing] : endpoints,
  });
}
