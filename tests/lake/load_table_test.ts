/** What a load writes, and what it answers while there is nothing to be read. */
import { strict as assert } from "node:assert";
import type { ClaimedLakeTable } from "../../shared/catalog/lake_results.ts";
import { loadTable } from "../../shared/iceberg/load_table.ts";

Deno.test("a column without a type is kept as one, so that it is seen when it gets one", async () => {
  const claim: ClaimedLakeTable = {
    ...{ state: "claimed", relation: 1, dataset_id: crypto.randomUUID(), revision: 1 },
    ...{ uuid: crypto.randomUUID(), name: "battles", snapshot: 1, at: new Date().toISOString() },
    ...{
      columns_at: 1,
      next_file: 1,
      history: [],
      kept: [],
      files: [],
      statistics: [],
      left_out: [],
    },
    columns: [
      { id: 1, parent: null, name: "dataset_id", type: "string", names: ["dataset_id"] },
      { id: 2, parent: null, name: "at", type: null, names: ["at"] },
    ],
    totals: { files: 0, rows: 0, bytes: 0 },
    keys: { metadata: "metadata", list: "list", manifests: [] },
  };
  let types: unknown;
  await loadTable({
    bucket: "sediment",
    store: { put: () => Promise.resolve({ etag: "etag" }) } as never,
    catalog: {
      loadLakeTable: () => Promise.resolve(claim),
      commitLakeMetadata: (written: { claim: { types: unknown } }) => {
        types = written.claim.types;
        return Promise.resolve({ committed: true });
      },
    } as never,
  }, { user: null, namespace: "lake", table: "battles" });
  assert.deepEqual(types, { 1: "string", 2: null });
});

Deno.test("who loads a table whose new schemas wait for a publication has the last metadata, or is told when to come again", async () => {
  let metadata: string | null = "{}";
  let asked = 0;
  const load = () =>
    loadTable({
      bucket: "sediment",
      store: {} as never,
      catalog: {
        loadLakeTable: () => {
          asked++;
          return Promise.resolve({ state: "busy", object_key: metadata, metadata, waits: true });
        },
      } as never,
    }, { user: null, namespace: "lake", table: "battles" });
  assert.equal((await load()).metadata, "{}");
  metadata = null;
  await assert.rejects(load(), { code: "catalog_failed", status: 503, retryAfterSeconds: 30 });
  assert.equal(asked, 2, "it is not asked again meanwhile");
});
