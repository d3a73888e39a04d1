import { strict as assert } from "node:assert";
import { maxSortedRows, mergeOrderOf } from "../../shared/compaction/plan/merge_order.ts";
import { mostRuns } from "../../shared/parquet/write/row_origins.ts";
import { mergeSettings } from "../../shared/parquet/merge/pages/merge_settings.ts";

Deno.test("a table without keys keeps the order of its uploads", () => {
  assert.equal(mergeOrderOf({ sort_keys: [], dedupe_keys: [] }), undefined);
});

Deno.test("sort keys rise unless they say desc, and names may hold spaces and dots", () => {
  assert.deepEqual(
    mergeOrderOf({ sort_keys: ["ts", "score desc", "my key ASC", "a.b"], dedupe_keys: [] }),
    {
      sort: [
        { path: ["ts"], descending: false },
        { path: ["score"], descending: true },
        { path: ["my key"], descending: false },
        { path: ["a.b"], descending: false },
      ],
    },
  );
});

Deno.test("keys to dedupe by need no sort", () => {
  assert.deepEqual(mergeOrderOf({ sort_keys: [], dedupe_keys: ["id"] }), {
    sort: [],
    dedupe: [["id"]],
  });
});

Deno.test("an empty sort key is told as such", () => {
  assert.throws(() => mergeOrderOf({ sort_keys: [" desc"], dedupe_keys: [] }), {
    code: "invalid_config",
    field: "sort_keys",
  });
});

Deno.test("a sorted output fits into one sort range of the merge, and the origins of its rows are kept", () => {
  const target = { rowGroupBytes: 1, pageBytes: 1, codec: "snappy" as const };
  assert.ok(maxSortedRows <= mergeSettings(target, {}).sortRows);
  assert.ok(maxSortedRows <= mostRuns);
});
