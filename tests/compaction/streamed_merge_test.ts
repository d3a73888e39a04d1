/** Merges whose output has many parts, into an S3: read back by DuckDB, and how much of it passed by the isolate. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { join } from "node:path";

import { mergeInputs } from "../../shared/compaction/run/output/merge_inputs.ts";
import type { Claim, InputFile } from "../../shared/compaction/run/ports.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { createS3Double, type S3Double } from "../storage/s3_double.ts";
import { literal, openDuckdb, scalar } from "../support/duckdb.ts";

const MiB = 1024 * 1024;
/** Row groups of each large file. */
const groups = 3;
const settings = {
  target_row_group_bytes: 8 * MiB,
  target_page_bytes: MiB,
  codec: "snappy",
  sort_keys: [],
  dedupe_keys: [],
};

/** An S3 with files in it, each as the catalog has it. */
class World {
  readonly double: S3Double = createS3Double();
  #files = 0;

  /** @param equalParts whether it wants parts of one size */
  storeOf(equalParts: boolean) {
    this.double.equalParts = equalParts;
    return createS3Store({
      endpoint: "https://s3.test",
      bucket: "b",
      accessKeyId: "id",
      secretAccessKey: "secret",
      fetch: this.double.fetch,
      equalParts,
    });
  }

  /** Puts bytes and gives their row of the catalog. */
  async file(bytes: Uint8Array, level: number): Promise<InputFile> {
    const object_key = `file-${++this.#files}`;
    const { etag } = await this.storeOf(false).put(object_key, bytes);
    const { rowCount: row_count } = inspectParquetBytes(bytes);
    const byte_length = bytes.length, id = this.#files;
    return { id, object_key, start_byte: 0, byte_length, level, row_count, etag } as InputFile;
  }

  /** Merges files into a new object; gives its bytes, and the requests that made it. */
  async merge(inputs: InputFile[], key: string, equalParts = false) {
    const before = this.double.requests.length;
    const { result, output } = await mergeInputs(
      { store: this.storeOf(equalParts), merge },
      { settings } as unknown as Claim,
      { inputs, schema: undefined },
      key,
      new AbortController().signal,
    );
    assert.deepEqual(result.rejected, []);
    await output.put();
    const requests = this.double.requests.slice(before);
    return { bytes: this.double.objects.get(key)!.bytes, requests, output };
  }
}

Deno.test("an output of many parts is what DuckDB reads of its inputs, copied inside the store or not", async () => {
  const folder = await Deno.makeTempDir();
  const duckdb = await openDuckdb(1);
  try {
    const write = async (name: string, from: number, to: number) => {
      const path = join(folder, name);
      await duckdb.run(
        `copy (select i, md5(i::varchar) as a, md5((-i)::varchar) as b, i % 7 = 0 as c
           from range(${from}, ${to}) t(i)) to ${literal(path)} (format parquet)`,
      );
      return await Deno.readFile(path);
    };
    const world = new World();
    // Two files that an earlier merge wrote, with small ones between them.
    const large = [];
    for (const [n, rows] of [[0, 260_000], [1, 330_000]]) {
      const upload = await world.file(await write(`l${n}`, n * 1e6, n * 1e6 + rows), 0);
      large.push(await world.file((await world.merge([upload], `large-${n}`)).bytes, 1));
    }
    const small = [];
    for (let n = 0; n < 5; n++) {
      small.push(await world.file(await write(`s${n}`, 5e6 + n * 1000, 5e6 + n * 1000 + 900), 0));
    }
    const inputs = [large[0], ...small, large[1]];

    const copied = await world.merge(inputs, "copied");
    assert.ok(copied.bytes.length > 35 * MiB);
    const inParts = await world.merge(inputs, "in-parts-of-one-size", true);
    assert.ok(Buffer.from(inParts.bytes).equals(copied.bytes), "the outputs differ");
    for (const { made, most } of [{ made: copied, most: 6 }, { made: inParts, most: 20 }]) {
      assert.ok(made.requests.some(({ headers }) => headers.has("x-amz-copy-source")));
      const sent = made.requests.reduce((sum, { body }) => sum + body.length, 0);
      assert.ok(sent < most * MiB, `${sent} of ${made.bytes.length} bytes were sent`);
    }

    // Where the ETag is unknown or another one, every byte is read and checked, and the output is the same.
    for (const etag of [null, "0".repeat(32)]) {
      const read = await world.merge(inputs.map((file) => ({ ...file, etag })), `read-${etag}`);
      assert.ok(!read.requests.some(({ headers }) => headers.has("x-amz-copy-source")));
      assert.ok(Buffer.from(read.bytes).equals(copied.bytes), "the outputs differ");
      // A small file is one request; of a large one its end is, and each window of 2 MiB in a row group.
      const gets = read.requests.filter(({ method }) => method === "GET").length;
      const windows = large.reduce((sum, file) => sum + file.byte_length / (2 * MiB) + groups, 0);
      assert.ok(gets <= small.length + large.length + windows, `${gets} requests for ${windows}`);
    }

    await Deno.writeFile(join(folder, "out"), copied.bytes);
    const output = `read_parquet(${literal(join(folder, "out"))})`;
    const source = `read_parquet([${
      ["l0", "s0", "s1", "s2", "s3", "s4", "l1"].map((name) => literal(join(folder, name)))
    }])`;
    assert.equal(await scalar(duckdb, `select count(*) from ${output}`), 594_500);
    for (const [one, other] of [[output, source], [source, output]]) {
      const missing = `select count(*) from (select * from ${one} except all from ${other})`;
      assert.equal(await scalar(duckdb, missing), 0);
    }
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
