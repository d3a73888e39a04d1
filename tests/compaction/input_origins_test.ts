import { strict as assert } from "node:assert";
import { inputOrigins } from "../../shared/compaction/run/output/input_origins.ts";
import type { InputFile } from "../../shared/compaction/run/ports.ts";
import { SedimentError } from "../../shared/errors.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { RowOrigins } from "../../shared/parquet/write/row_origins.ts";

const { signal } = new AbortController();

/** An output of rows of uploads 3 and 5, whose bytes say so from the 100th on. */
function output(some: Partial<InputFile> = {}) {
  const origins = RowOrigins.of(3, 20);
  origins.add(5, 10);
  const encoded = origins.encode();
  const bytes = new Uint8Array(200);
  bytes.set(encoded, 100);
  const file = {
    id: 7,
    object_key: "o",
    level: 2,
    seq_min: 3,
    seq_max: 5,
    row_count: 30,
    provenance: { start: 100, length: encoded.length },
    ...some,
  } as InputFile;
  return { file, reader: bytesReader(bytes), bytes };
}

const runs = (origins: RowOrigins | undefined) => origins && [...origins.runs()];

Deno.test("an upload's rows are of its place in the upload order, and nothing is read for that", async () => {
  const { file } = output({ level: 0, seq_min: 4, seq_max: 4, provenance: null });
  assert.deepEqual(runs(await inputOrigins(file, bytesReader(new Uint8Array()), signal)), [[
    4,
    30,
  ]]);
});

Deno.test("an output says where its rows came from, and one of before does not", async () => {
  const { file, reader } = output();
  assert.deepEqual(runs(await inputOrigins(file, reader, signal)), [[3, 20], [5, 10]]);
  assert.equal(await inputOrigins({ ...file, provenance: null }, reader, signal), undefined);
});

Deno.test("what an output says is not believed where the catalog says otherwise", async () => {
  const changed = (error: unknown) =>
    error instanceof SedimentError && error.code === "object_changed" && error.extra?.file === "7";
  const others: Partial<InputFile>[] = [
    { row_count: 31 },
    { seq_min: 4 },
    { seq_max: 4 },
    { provenance: { start: 99, length: 12 } },
    { provenance: { start: 195, length: 12 } },
  ];
  for (const other of others) {
    const { file, reader } = output(other);
    await assert.rejects(inputOrigins(file, reader, signal), changed, JSON.stringify(other));
  }
  const { file, reader, bytes } = output();
  bytes[103] ^= 1;
  await assert.rejects(inputOrigins(file, reader, signal), changed);
});
