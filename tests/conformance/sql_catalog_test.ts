import postgres from "postgres";
import { createSqlCatalog } from "../support/sql_catalog.ts";
import { type Cluster, startCluster } from "../database/cluster.ts";
import { catalogConformance } from "./catalog.ts";

let cluster: Cluster | undefined;

Deno.test.beforeAll(async () => {
  cluster = await startCluster();
});
Deno.test.afterAll(async () => {
  await cluster?.stop();
});

catalogConformance("SQL", async () => {
  const { url } = await cluster!.newDatabase();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  return { catalog: createSqlCatalog(sql), [Symbol.asyncDispose]: () => sql.end() };
});
