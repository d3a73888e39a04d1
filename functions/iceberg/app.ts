/**
 * The lake as an Iceberg REST catalog that can only be read.
 * https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
 */
import { createHttpApp, type HttpApp } from "../../shared/http/http_app.ts";
import type { Services } from "../services.ts";
import { serveConfig } from "./config.ts";
import { icebergProblem, refuseWrites, tokenPath } from "./errors.ts";
import { serveNamespace, serveNamespaces, serveTables } from "./names.ts";
import { serveSign } from "./sign.ts";
import { serveCredentials, serveTable } from "./table.ts";
import { serveToken } from "./token.ts";

const namespace = "/v1/namespaces/:namespace";
const table = `${namespace}/tables/:table`;

/** The app of `iceberg`. */
export function createIcebergApp(services: Services): HttpApp {
  const app = createHttpApp("iceberg", { ...services, problem: icebergProblem });
  app.get("/v1/config", (c) => serveConfig(services, c.req.raw));
  app.post(tokenPath, (c) => serveToken(services, c.req.raw));
  app.get("/v1/namespaces", (c) => serveNamespaces(services, c.req.raw));
  app.get(namespace, (c) => serveNamespace(services, c.req.raw, c.req.param("namespace")));
  app.get(
    `${namespace}/tables`,
    (c) => serveTables(services, c.req.raw, c.req.param("namespace")),
  );
  app.get(table, (c) => serveTable(services, c.req.raw, c.req.param()));
  app.get(`${table}/credentials`, (c) => serveCredentials(services, c.req.raw, c.req.param()));
  app.post(`${table}/sign`, (c) => serveSign(services, c.req.raw, c.req.param()));
  // as clients ask that take no path from the table
  app.post("/v1/aws/s3/sign", (c) => serveSign(services, c.req.raw, null));
  refuseWrites(app);
  return app;
}
