/** Memory that is over for what waits: nobody's file is refused for what others have there, and none counts twice. */
import { strict as assert } from "node:assert";
import type { MergeOrder } from "../../../shared/parquet/merge/pages/row_order.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { mergeBytes } from "./merge_bytes.ts";

const rows = 3_000, count = 10;

const fileOf = (f: number) =>
  writeWithDuckDb(
    `select i + ${f * rows} as id, hash(i + ${f})::varchar || repeat('x', (i % 50)::integer) as s,
    'v' || (i % 300) as low, case when i % 3 = 0 then null else hash(i)::varchar || '${f}' end as t, [i, i + 1] as l
    from range(${rows}) t(i)`,
  );

const orders: Record<string, MergeOrder | undefined> = {
  "in their order": undefined,
  "sorted": { sort: [{ path: ["id"], descending: true }] },
};

for (const [how, order] of Object.entries(orders)) {
  Deno.test(`files ${how} are merged all where there is memory for one`, async () => {
    const files = await Promise.all(Array.from({ length: count }, (_, f) => fileOf(f)));
    const expected = [...await rowsOfBytes(...files)].sort();
    for (const wholeFileBytes of [4 << 20, 0]) {
      const ends = new Set<number>();
      for (let memoryBytes = 600 << 10; memoryBytes < 6 << 20; memoryBytes += 601_000) {
        const { result, output } = await mergeBytes(
          files,
          count * rows,
          {
            kernels: { memoryBytes },
            settings: { wholeFileBytes, pageRows: 5000, rowGroupBytes: 150_000 },
          },
          "snappy",
          order,
        );
        const place = `${memoryBytes} bytes, whole files to ${wholeFileBytes}`;
        assert.ok([0, count].includes(result.merged.length), place);
        assert.ok(result.rejected.every(({ apart }) => apart === "memory"), place);
        if (!ends.has(result.merged.length) && result.merged.length > 0) {
          assert.deepEqual([...await rowsOfBytes(output)].sort(), expected, place);
        }
        ends.add(result.merged.length);
      }
      assert.equal(ends.size, 2, "memory goes from too little to enough");
    }
  });
}

Deno.test("a value for which there is no memory to sort it leaves its file out, and others are sorted", async () => {
  const small = await writeWithDuckDb("select 'a' || i as s, i as n from range(100) t(i)");
  const large = await writeWithDuckDb(
    `select case when i = 50 then repeat('x', ${
      20 << 20
    }) else 'b' end as s, i as n from range(100) t(i)`,
  );
  const order: MergeOrder = { sort: [{ path: ["n"] }] };
  const { result, output } = await mergeBytes([small, large, small], 300, {}, "snappy", order);
  assert.deepEqual(result.merged, ["file0", "file2"]);
  const [{ id, error, apart }] = result.rejected;
  assert.equal(apart, "memory");
  assert.equal(id, "file1");
  assert.equal(error.code, "page_too_large");
  assert.deepEqual(error.extra, { file: "file1", column: ["s"] });
  assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(small, small));
});
