import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import { type SettlePorts, settleSchemas } from "../../shared/compaction/upkeep/settle_schemas.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import type { SchemaJson } from "../../shared/parquet/format/schema_json.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { MemorySink } from "../parquet/memory_sink.ts";
import { withFooter } from "../parquet/with_footer.ts";

/** A file of columns a and b with these field ids; undefined: none. */
function fileWith(a?: number, b?: number): Uint8Array {
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: [
      { name: "a", data: [1, 2], type: "INT32" },
      { name: "b", data: [3, 4], type: "INT32" },
    ],
    codec: "UNCOMPRESSED",
  }));
  return withFooter(bytes, ({ schema }) => {
    schema[1].fieldId = a;
    schema[2].fieldId = b;
  });
}

const idsOf = (schema: SchemaJson) => schema.children!.map((child) => child.field_id);

interface Known {
  id: number;
  level: number;
  bytes: Uint8Array | null;
  /** Ids of what went into it, as far as it is kept. */
  inputs?: number[];
}

async function world(known: Known[], outputs: number[]) {
  const store = createMemoryStore();
  for (const { id, bytes } of known) if (bytes) await store.put(`k${id}`, bytes);
  const row = (id: number, output: number | null) => {
    const { level, bytes } = known.find((one) => one.id === id)!;
    return {
      id,
      output,
      object_key: `k${id}`,
      start_byte: 0,
      byte_length: bytes?.length ?? 500,
      level,
      seq_min: id,
    };
  };
  const settled: { id: number; schema: SchemaJson }[] = [];
  const marked: { id: number; reason: string; schema: SchemaJson }[] = [];
  const catalog = {
    listUnsettledOutputs: ({ after, inputs }: { after: number; inputs: number[] | null }) =>
      Promise.resolve({
        more: false,
        files: inputs === null
          ? outputs.filter((id) => id > after).map((id) => row(id, null))
          : inputs.flatMap((output) =>
            (known.find((one) => one.id === output)!.inputs ?? []).map((id) => row(id, output))
          ),
      }),
    settleOutputs: ({ files }: { files: typeof settled }) => {
      settled.push(...files);
      return Promise.resolve({ settled: files.length });
    },
    markForRewrite: ({ files }: { files: typeof marked }) => {
      marked.push(...files);
      return Promise.resolve({ marked: files.length });
    },
  };
  return { ports: { catalog, store } as unknown as SettlePorts, settled, marked };
}

Deno.test("an output with another's field ids is marked, to have those of what went into it", async () => {
  const { ports, settled, marked } = await world([
    { id: 1, level: 0, bytes: fileWith(1, 2) },
    { id: 2, level: 0, bytes: fileWith(1, 2) },
    { id: 10, level: 1, bytes: fileWith(2, 1), inputs: [1, 2] },
    { id: 11, level: 1, bytes: fileWith(1, 2), inputs: [1, 2] },
    // made of an output that is wrong itself: what counts is what was uploaded
    { id: 12, level: 2, bytes: fileWith(2, 1), inputs: [10] },
    { id: 13, level: 1, bytes: fileWith(2, 1), inputs: [3] },
    { id: 3, level: 0, bytes: fileWith() },
  ], [10, 11, 12, 13]);
  const report = await settleSchemas(ports);
  assert.deepEqual(report, { looked: 4, settled: 1, corrected: 3, stripped: 0, unread: [] });
  assert.deepEqual(settled.map(({ id }) => id), [11]);
  assert.deepEqual(marked.map(({ id, schema }) => [id, idsOf(schema)]), [
    [10, [1, 2]],
    [12, [1, 2]],
    [13, [undefined, undefined]],
  ]);
});

Deno.test("where what went into it is gone it is marked to have no field ids, if it has some", async () => {
  const { ports, settled, marked } = await world([
    { id: 10, level: 1, bytes: fileWith(2, 1) },
    { id: 11, level: 1, bytes: fileWith() },
    { id: 12, level: 1, bytes: fileWith(2, 1), inputs: [5] },
    { id: 5, level: 0, bytes: null },
    { id: 13, level: 1, bytes: null },
  ], [10, 11, 12, 13]);
  const report = await settleSchemas(ports);
  assert.deepEqual([report.settled, report.stripped, report.unread.length], [1, 2, 1]);
  assert.deepEqual(settled.map(({ id }) => id), [11]);
  assert.deepEqual(marked.map(({ id, schema }) => [id, idsOf(schema)]), [
    [10, [undefined, undefined]],
    [12, [undefined, undefined]],
  ]);
});

Deno.test("an uploaded file has the field ids that it has", async () => {
  const { ports, settled, marked } = await world([{ id: 1, level: 0, bytes: fileWith(5, 6) }], [1]);
  const report = await settleSchemas(ports);
  assert.deepEqual(report, { looked: 1, settled: 1, corrected: 0, stripped: 0, unread: [] });
  assert.deepEqual(settled.map(({ id, schema }) => [id, idsOf(schema)]), [[1, [5, 6]]]);
  assert.deepEqual(marked, []);
});

Deno.test("a dry run tells the same and writes nothing", async () => {
  const known = [
    { id: 1, level: 0, bytes: fileWith(1, 2) },
    { id: 10, level: 1, bytes: fileWith(2, 1), inputs: [1] },
  ];
  const { ports, settled, marked } = await world(known, [10]);
  assert.equal((await settleSchemas(ports, { dryRun: true })).corrected, 1);
  assert.deepEqual([settled, marked], [[], []]);
});

Deno.test("a file that is merged by itself in the schema of its mark has its rows and those ids", async () => {
  const wrong = fileWith(2, 1);
  for (const [a, b] of [[1, 2], [undefined, undefined]]) {
    const { schema } = inspectParquetBytes(fileWith(a, b));
    const sink = new MemorySink();
    const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };
    const plan = { inputs: [{ id: "1", level: 1 }], target, schema, expectedRows: 2 };
    await merge(plan, new Map([["1", bytesReader(wrong)]]), sink);
    const facts = inspectParquetBytes(sink.bytes());
    assert.deepEqual(idsOf(facts.schema), [a, b]);
    assert.equal(facts.rowCount, 2);
  }
});
