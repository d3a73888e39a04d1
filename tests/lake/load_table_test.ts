/** What is kept of a table's columns, to tell whether its snapshots of before can be read by the schema of a later load. */
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
