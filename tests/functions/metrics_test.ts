import { strict as assert } from "node:assert";
import { createCompactionApp } from "../../functions/compaction/app.ts";
import { createServices } from "../../functions/create_services.ts";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import type { Metrics } from "../../shared/catalog/metric_results.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { httpWorld, secretKey, send } from "../support/http_world.ts";

const key = "a-key-of-the-scrapers-own";

const metrics: Metrics = {
  counters: [{ metric: "uploads", label: "stored", events: 3, amount: 300 }],
  queues: [{ queue: "manual", messages: 2, due: 1, oldest_due_seconds: 4 }],
  debt: { partitions: 1, oldest_seconds: 5 },
  due_partitions: 0,
  dead_partitions: 0,
  leases: 0,
  max_workers: 4,
  breaker_open: true,
  incidents: [{ name: "breaker_open", open: true }],
  dead_letters: 0,
  quarantined_files: 0,
  lost_files: 0,
  deletions: 0,
  alerts_pending: 0,
  store_findings: 0,
  objects: [{ state: "stored", objects: 3 }],
  tables: [{ table: "uploads", bytes: 8192, rows: 3 }],
};

function app(env: Record<string, string>) {
  const { services } = httpWorld({ env });
  services.catalog = { readMetrics: () => Promise.resolve(metrics) } as unknown as Catalog;
  return createCompactionApp(services);
}

Deno.test("the key of the metrics opens them, and no other does", async () => {
  const withKey = app({ SEDIMENT_METRICS_KEY: key });
  const get = (headers: Record<string, string>) =>
    send(withKey, "GET", "/compaction/metrics", { headers });
  for (
    const headers of [
      {},
      { authorization: "Bearer another" },
      { authorization: `Bearer ${secretKey}` },
      { apikey: secretKey },
      { apikey: key },
    ] as Record<string, string>[]
  ) {
    const { status, body } = await get(headers);
    assert.deepEqual([status, body.code], [401, "unauthenticated"], JSON.stringify(headers));
  }
  const open = await get({ authorization: `Bearer ${key}` });
  assert.equal(open.status, 200);
  assert.match(
    open.headers.get("content-type")!,
    /^application\/openmetrics-text; version=1\.0\.0/,
  );
  const text = new TextDecoder().decode(open.bytes);
  assert.match(text, /^sediment_uploads_total\{outcome="stored"\} 3$/m);
  assert.match(text, /^sediment_uploads_total\{outcome="healed"\} 0$/m);
  assert.match(text, /^sediment_incident_open\{name="breaker_open"\} 1$/m);
  assert.ok(text.endsWith("\n# EOF\n"));
});

Deno.test("without a key there are no metrics", async () => {
  const { status, body } = await send(app({}), "GET", "/compaction/metrics", {
    headers: { authorization: "Bearer " + key },
  });
  assert.deepEqual([status, body.code], [404, "not_found"]);
});

Deno.test("each code of a problem is counted, and a catalog that is away changes no answer", async () => {
  const told: unknown[] = [];
  const { services: world } = httpWorld();
  const catalog = {
    countProblems({ counts }: { counts: unknown }) {
      told.push(counts);
      return Promise.reject(new Error("the catalog is away"));
    },
  } as unknown as Catalog;
  const services = createServices({
    SUPABASE_URL: world.env.SUPABASE_URL,
    SUPABASE_SECRET_KEY: secretKey,
    SUPABASE_JWKS: JSON.stringify(world.env.SUPABASE_JWKS),
  }, { catalog, store: createMemoryStore() });
  const { status } = await send(createCompactionApp(services), "GET", "/compaction/nothing");
  assert.equal(status, 404);
  assert.deepEqual(told, [{ not_found: 1 }]);
});
