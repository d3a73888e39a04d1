/** Tables of the lake, some of whose files have two columns beside those of their uploads. */
import { strict as assert } from "node:assert";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { MemorySink } from "../parquet/memory_sink.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import { batchRows } from "./support/exact_rows.ts";
import { openFake } from "./support/fake_service.ts";

const upload = (from: number, more = "") =>
  writeWithDuckDb(
    `select i::int as id, 'row ' || i as word${more} from range(${from}, ${from + 4}) t(i)`,
  );

/** An output of a table of the lake, of one upload. */
async function settled(file: Uint8Array): Promise<Uint8Array> {
  const sink = new MemorySink();
  await merge(
    {
      inputs: [{ id: "f", level: 0 }],
      target: { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "zstd" },
      expectedRows: 4,
      constants: [{ name: "dataset_id", value: "d" }, { name: "period_tag", value: "0" }],
    },
    new Map([["f", bytesReader(file)]]),
    sink,
  );
  return sink.bytes();
}

Deno.test("a table of the lake has the columns and rows of its uploads, whether its files are settled or not", async () => {
  const files = [await upload(0), await upload(4), await upload(8, ", i / 2 as half")];
  const { dataset } = await openFake([
    { bytes: files[0] },
    { bytes: await settled(files[1]), told: files[1] },
    { bytes: await settled(files[2]), told: files[2] },
  ]);
  const { dataset: plain } = await openFake(files.map((bytes) => ({ bytes })));
  for (
    const options of [{}, { columns: ["word", "id"] }, {
      where: { column: "id", op: ">=", value: 5 },
    }] as const
  ) {
    const [rows, expected] = await Promise.all([dataset, plain].map(async (one) => {
      const batches = [];
      for await (const batch of one.scan({ table: "t", ...options })) batches.push(batch);
      return batchRows(batches);
    }));
    assert.deepEqual(rows, expected);
    assert.ok(rows.length > 4);
  }
});

Deno.test("an upload's own last columns are read, whatever they are called", async () => {
  const file = await upload(0, ", 'mine' as dataset_id, 'mine' as period_tag");
  const { dataset } = await openFake([{ bytes: file }]);
  const batches = [];
  for await (const batch of dataset.scan({ table: "t" })) batches.push(batch);
  assert.equal(batchRows(batches)[0], 'id:0,word:"row 0",dataset_id:"mine",period_tag:"mine"');
});
