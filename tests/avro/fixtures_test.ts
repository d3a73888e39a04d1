import { strict as assert } from "node:assert";
import avsc from "avsc";
import { Buffer } from "node:buffer";
import { readAvroBlocks } from "../../shared/avro/blocks.ts";
import { readAvroHeader } from "../../shared/avro/header.ts";
import { ParquetReader } from "./read_parquet.ts";

/** Files of Apache Avro's own test data; see fixtures/README.md there. */
const folder = new URL("../../../shared/fixtures/avro/", import.meta.url);

function fixture(name: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(new URL(name, folder));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`skipped: ${name} is not in ${folder.pathname}`);
  }
}

async function read(file: Uint8Array) {
  const reader = await ParquetReader.open();
  try {
    return await reader.convert(file);
  } finally {
    await reader.close();
  }
}

Deno.test("Avro's weather files, plain and deflated, have the rows of their JSON", async () => {
  const json = fixture("weather.json");
  if (json === undefined) return;
  const rows = new TextDecoder().decode(json).trim().split("\n").map((line) => JSON.parse(line));
  for (const name of ["weather.avro", "weather-deflate.avro"]) {
    const read_ = await read(fixture(name)!);
    assert.deepEqual(
      read_.rows,
      rows.map(({ station, time, temp }) => ({ station, time: BigInt(time), temp })),
    );
  }
});

Deno.test("a file whose sync marker also stands in its metadata has the rows that avsc reads", async () => {
  const file = fixture("syncInMeta.avro");
  if (file === undefined) return;
  const header = readAvroHeader(file);
  const schema = new TextDecoder().decode(header.metadata.get("avro.schema"));
  const type = avsc.Type.forSchema(JSON.parse(schema));
  const expected: Record<string, unknown>[] = [];
  for (const { data, count } of readAvroBlocks(file)) {
    for (let n = 0, at = 0; n < count; n++) {
      const { value, offset } = type.decode(Buffer.from(data), at);
      expected.push({ ...value, ID: BigInt(value.ID) });
      at = offset;
    }
  }
  assert(expected.length > 1_000, `${expected.length} rows`);
  assert.deepEqual((await read(file)).rows, expected);
});
