import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { readOffsetIndex } from "../../../shared/parquet/format/page_index.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { bytesReader, type RangeReader } from "../../../shared/parquet/format/range_reader.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { checkOutput } from "./check_output.ts";
import { mergeBytes } from "./merge_bytes.ts";

/** Files of a query over `i` in [0, rows), one behind the other. */
async function makeFiles(query: string, count: number, rows: number): Promise<Uint8Array[]> {
  const { connection, close } = await openDuckDb();
  const folder = await Deno.makeTempDir();
  try {
    const files: Uint8Array[] = [];
    for (let f = 0; f < count; f++) {
      const path = `${folder}/${f}.parquet`;
      await connection.run(
        `copy (select ${query} from range(${f * rows}, ${(f + 1) * rows}) t(i)) ` +
          `to '${path}' (format parquet)`,
      );
      files.push(await Deno.readFile(path));
    }
    return files;
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Rows that DuckDB reads from a file's bytes. */
async function readRows(file: Uint8Array, query: string): Promise<Map<string, number>> {
  const { connection, close } = await openDuckDb();
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  try {
    await Deno.writeFile(path, file);
    return await rowsOf(connection, query.replace("$file", `read_parquet('${path}')`));
  } finally {
    close();
    await Deno.remove(path);
  }
}

const target = { rowGroupBytes: 1 << 20, pageBytes: 1 << 20, codec: "snappy" as const };

function planOf(files: Uint8Array[], expectedRows: number) {
  return {
    plan: { inputs: files.map((_, i) => ({ id: `${i}`, level: 0 })), target, expectedRows },
    readers: new Map(files.map((bytes, i) => [`${i}`, bytesReader(bytes)])),
  };
}

Deno.test("row groups are cut by bytes, pages by rows and by bytes, at row starts", async () => {
  const files = await makeFiles(
    "i, hash(i) as h, repeat(md5(i::VARCHAR), 8) as s, [i, null, i + 1] as l",
    12,
    3000,
  );
  const { plan, readers } = planOf(files, 36_000);
  const chunks: Uint8Array[] = [];
  const result = await mergePages(plan, readers, {
    write(chunk) {
      chunks.push(chunk.slice());
      return Promise.resolve();
    },
  }, { settings: { pageRows: 2000, pageBytes: 200_000 } });
  const output = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  assert.ok(result.rowGroupCount >= 3, `${result.rowGroupCount} row groups`);
  checkOutput(output);
  for (const group of footerOfBytes(output).metadata.rowGroups) {
    assert.ok(group.totalCompressedSize! < 3 << 20);
    for (const chunk of group.columns) {
      const at = chunk.offsetIndexOffset!;
      const { pages } = readOffsetIndex(output.subarray(at, at + chunk.offsetIndexLength!));
      const starts = [...pages.map((page) => page.firstRowIndex), group.numRows];
      for (let i = 1; i < starts.length; i++) assert.ok(starts[i] - starts[i - 1] <= 2000);
      for (const page of pages) assert.ok(page.compressedPageSize < 250_000);
    }
  }
  assert.deepEqual(
    await readRows(output, "select count(*), sum(i), sum(length(s)), sum(len(l)) from $file"),
    new Map([[`36000n,${36_000 * 35_999 / 2}n,${36_000 * 256}n,108000n`, 1]]),
  );
});

Deno.test("a fragment that is broken in its last column leaves no trace in any column", async () => {
  const files = await makeFiles("i, 'k' || (i % 50) as k, [i] as l, hash(i) as h", 3, 400);
  const clean = await mergeBytes([files[0], files[2]], 800);
  // the last column's first data page loses its header
  const broken = files[1].slice();
  const meta = footerOfBytes(broken).metadata.rowGroups[0].columns.at(-1)!.metaData!;
  broken.fill(0xff, meta.dataPageOffset, meta.dataPageOffset + 8);
  const { result, output } = await mergeBytes([files[0], broken, files[2]], 1200);
  assert.deepEqual(result.merged, ["file0", "file2"]);
  assert.equal(result.rejected[0].error.code, "invalid_parquet");
  assert.deepEqual(result.rejected[0].error.extra?.column, ["h"]);
  assert.deepEqual(output, clean.output);
});

Deno.test("a large file that breaks late is left out whole, with the row groups it had by then", async () => {
  const files = await makeFiles("i, hash(i) as h", 3, 5000);
  const broken = files[1].slice();
  const meta = footerOfBytes(broken).metadata.rowGroups[0].columns.at(-1)!.metaData!;
  broken.fill(0xff, meta.dataPageOffset, meta.dataPageOffset + 8);
  for (const healthyBytes of [0, Infinity]) {
    const { result, output } = await mergeBytes([files[0], broken, files[2]], 15_000, {
      settings: { wholeFileBytes: 0, healthyBytes },
    });
    assert.deepEqual(result.merged, ["file0", "file2"]);
    assert.deepEqual(
      await readRows(output, "select count(*), sum(i) from $file"),
      new Map([[`10000n,${4999 * 2500 + 12_499.5 * 5000}n`, 1]]),
    );
  }
});

Deno.test("a merge that is stopped throws aborted", async () => {
  const files = await makeFiles("i", 4, 100);
  const { plan, readers } = planOf(files, 400);
  const controller = new AbortController();
  let reads = 0;
  const counting = new Map([...readers].map(([id, reader]): [string, RangeReader] => [id, {
    size: reader.size,
    read(start, length, signal) {
      if (++reads === 3) controller.abort();
      return reader.read(start, length, signal);
    },
  }]));
  await assert.rejects(
    mergePages(plan, counting, { write: () => Promise.resolve() }, {
      signal: controller.signal,
      settings: { readsAhead: 1 },
    }),
    (error) => error instanceof SedimentError && error.code === "aborted",
  );
});

Deno.test("a store that fails stops the merge instead of leaving the file out", async () => {
  const files = await makeFiles("i", 2, 100);
  const { plan, readers } = planOf(files, 200);
  readers.set("1", {
    size: files[1].length,
    read: () => Promise.reject(new SedimentError("store_failed", "503")),
  });
  await assert.rejects(
    mergePages(plan, readers, { write: () => Promise.resolve() }),
    (error) => error instanceof SedimentError && error.code === "store_failed",
  );
});

Deno.test("nothing is read ahead beyond the limits, and a slow sink holds the merge back", async () => {
  const files = await makeFiles("i, md5(i::VARCHAR) as s", 30, 1000);
  const { plan, readers } = planOf(files, 30_000);
  let open = 0, most = 0, writing = false;
  const slow = new Map([...readers].map(([id, reader]): [string, RangeReader] => [id, {
    size: reader.size,
    async read(start, length, signal) {
      most = Math.max(most, ++open);
      await new Promise((done) => setTimeout(done, 1));
      open--;
      return await reader.read(start, length, signal);
    },
  }]));
  await mergePages({ ...plan, target: { ...target, rowGroupBytes: 100_000 } }, slow, {
    async write() {
      assert.equal(writing, false, "one write at a time");
      writing = true;
      await new Promise((done) => setTimeout(done, 2));
      writing = false;
    },
  }, { settings: { readsAhead: 3 } });
  assert.ok(most <= 3, `${most} reads at once`);
});

Deno.test("a page over the limit is page_too_large, and names its place", async () => {
  const files = await makeFiles("repeat('x', 100) || i as s", 1, 2000);
  const { result } = await mergeBytes([files[0]], 2000, { kernels: { pageBytes: 10_000 } });
  assert.equal(result.byteLength, 0);
  const [{ error }] = result.rejected;
  assert.equal(error.code, "page_too_large");
  assert.deepEqual(error.extra, { file: "file0", row_group: 0, column: ["s"], page: 0 });
});

Deno.test("the plan's rows are compared", async () => {
  const files = await makeFiles("i", 2, 100);
  await assert.rejects(
    mergeBytes(files, 201),
    (error) => error instanceof SedimentError && error.code === "merge_rows_differ",
  );
});
