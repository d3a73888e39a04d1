import { strict as assert } from "node:assert";
import { createAssetSyncApp } from "../../functions/asset-sync/app.ts";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import { createCompactorApp } from "../../functions/compactor/app.ts";
import { createDeadLetterApp } from "../../functions/dead-letter/app.ts";
import { createIcebergApp } from "../../functions/iceberg/app.ts";
import { openApi } from "../../functions/openapi/document.ts";
import { httpWorld, send } from "../support/http_world.ts";

const { services } = httpWorld();
const unused = () => Promise.reject(new Error("no merge here"));
const apps = [
  createBattleDataApp(services),
  createCompactionApp(services),
  createCompactorApp(services, unused),
  createDeadLetterApp(services),
  createAssetSyncApp(services),
  createIcebergApp(services),
];

// deno-lint-ignore no-explicit-any -- any part of an OpenAPI document
type Part = any;

const document = openApi() as Part;

Deno.test("the checked-in document is what the schemas give", async () => {
  const path = new URL("../../functions/openapi/openapi.json", import.meta.url);
  assert.equal(
    await Deno.readTextFile(path),
    JSON.stringify(document, null, 2) + "\n",
    "it is stale: run `deno task openapi`",
  );
});

Deno.test("the document is served, to anyone", async () => {
  const answer = await send(apps[0], "GET", "/functions/v1/battle-data/openapi.json");
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, JSON.parse(JSON.stringify(document)));
});

Deno.test("every route is described, and nothing else is", () => {
  const served = apps.flatMap((app) => app.routes)
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => {
      const clean = path.replace(/:(\w+)/g, "{$1}").replace(/(.)\/$/, "$1");
      return `${method} ${clean}`;
    });
  // Hono answers HEAD wherever it answers GET.
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).filter((method) => method !== "head")
      .map((method) => `${method.toUpperCase()} ${path}`)
  );
  assert.deepEqual([...new Set(served)].sort(), described.sort());
});

Deno.test("every operation has its own id, an answer, and problems as problem+json", () => {
  const ids: string[] = [];
  for (
    const operation of Object.values<Part>(document.paths).flatMap((path) =>
      Object.values<Part>(path)
    )
  ) {
    ids.push(operation.operationId);
    assert.ok(
      Object.keys(operation.responses).some((status) => status.startsWith("2")),
      operation.operationId,
    );
    for (const [status, response] of Object.entries<Part>(operation.responses)) {
      if (Number(status) < 400) continue;
      assert.deepEqual(Object.keys(response.content), ["application/problem+json"]);
    }
  }
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("a route that wants credentials refuses who has none", async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries<Part>(methods as object)) {
      if (operation.security.length === 0) continue;
      const name = path.split("/")[1];
      const app = apps.find((app) =>
        app.routes.some((route) => route.path.startsWith(`/${name}`))
      )!;
      const answer = await send(app, method.toUpperCase(), path.replace(/\{\w+\}/g, "1"));
      assert.equal(answer.status, 401, `${method} ${path}`);
    }
  }
});
