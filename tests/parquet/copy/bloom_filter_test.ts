/** Bloom filters of copied row groups: an upload's may say anything, and readers pass over rows by them. */
import { strict as assert } from "node:assert";
import { footerBytes, footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import type { ColumnMetaData } from "../../../shared/parquet/format/metadata.ts";
import { HostKernels } from "../../../shared/parquet/kernels/host_kernels.ts";
import { openDuckDb, rowsOf } from "../duckdb_rows.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";
import { withFooter } from "../with_footer.ts";
import { copied } from "./copied.ts";

const rows = 5_000;

const fileWithFilter = () =>
  writeWithDuckDb(`select 'v' || (i % 40) as s, i as n from range(${rows}) t(i)`);

const metaOf = (file: Uint8Array) => footerOfBytes(file).metadata.rowGroups[0].columns[0].metaData!;

const filterOf = (file: Uint8Array, { bloomFilterOffset, bloomFilterLength }: ColumnMetaData) =>
  file.subarray(bloomFilterOffset!, bloomFilterOffset! + bloomFilterLength!);

Deno.test("hashes are those of XXH64", () => {
  const kernels = new HostKernels({
    memoryBytes: 1 << 20,
    pageBytes: 1 << 20,
    pageValues: 1 << 20,
  });
  const hash = (text: string) => {
    const at = kernels.input(new TextEncoder().encode(text));
    return BigInt.asUintN(64, kernels.wasm.xxHash64(at, text.length)).toString(16);
  };
  assert.equal(hash(""), "ef46db3751d8e999");
  assert.equal(hash("a"), "d24ec4f1a98c6e5b");
  assert.equal(hash("abc"), "44bc2cf5ad770999");
  assert.equal(hash("The quick brown fox jumps over the lazy dog"), "b242d361fda71bc");
});

/** Rows that DuckDB finds by a value that a filter knows. */
async function found(file: Uint8Array): Promise<string> {
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(path, file);
    const counts = await rowsOf(connection, `select count(*) from '${path}' where s = 'v7'`);
    return [...counts][0][0];
  } finally {
    close();
    await Deno.remove(path);
  }
}

const types =
  `select 'v' || (i % 40) as s, repeat('long ', 1 + (i % 9)::integer) as t, (i % 30)::bigint as l,
  (i % 20)::integer as n, (i % 10) / 4 as d, ((i % 10) / 4)::float as f, (i % 50)::decimal(30, 2) as wide,
  md5((i % 12)::varchar)::uuid as u, ('x' || (i % 60))::blob as b, i % 2 = 0 as flag from range(${rows}) t(i)`;

/** A file without dictionaries or filters, with the filters of one that has them and the same values. */
async function plainWithFilters(): Promise<Uint8Array> {
  const plain = await writeWithDuckDb(types, "format parquet, dictionary_size_limit 0");
  const other = await writeWithDuckDb(types);
  const { metadata, start } = footerOfBytes(plain);
  const filters: number[] = [];
  for (const [i, { metaData }] of footerOfBytes(other).metadata.rowGroups[0].columns.entries()) {
    if (metaData!.bloomFilterOffset === undefined) continue;
    const meta = metadata.rowGroups[0].columns[i].metaData!;
    meta.bloomFilterOffset = start + filters.length;
    meta.bloomFilterLength = metaData!.bloomFilterLength;
    filters.push(...filterOf(other, metaData!));
  }
  return new Uint8Array([...plain.subarray(0, start), ...filters, ...footerBytes(metadata)]);
}

const writers: Record<string, () => Promise<Uint8Array>> = {
  "DuckDB": () => writeWithDuckDb(types),
  "DuckDB, beside PLAIN pages": plainWithFilters,
};

const lies: Record<string, (meta: ColumnMetaData) => void> = {
  "that lies in the pages": (meta) => {
    meta.bloomFilterOffset = meta.dataPageOffset;
  },
  "that overlaps the footer's neighbour": (meta) => {
    meta.bloomFilterOffset! -= 9;
  },
  "of no length": (meta) => {
    meta.bloomFilterLength = undefined;
  },
};

for (const [lie, tell] of Object.entries(lies)) {
  Deno.test(`an upload's Bloom filter ${lie} is left out, and its rows are found`, async () => {
    const file = await fileWithFilter();
    assert.ok(metaOf(file).bloomFilterOffset !== undefined, "DuckDB writes one");
    const upload = withFooter(file, ({ rowGroups }) => tell(rowGroups[0].columns[0].metaData!));
    const { result, output } = await copied(upload, 0);
    assert.deepEqual(result.rejected, []);
    assert.equal(metaOf(output).bloomFilterOffset, undefined);
    assert.equal(metaOf(output).bloomFilterLength, undefined);
    assert.equal(await found(output), `${rows / 40}n`);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
  });
}

for (const [writer, write] of Object.entries(writers)) {
  Deno.test(`filters of ${writer} that know all values of their chunks are copied`, async () => {
    const file = await write();
    const { result, output } = await copied(file, 0);
    assert.deepEqual(result.rejected, []);
    const [before, after] = [file, output].map((one) =>
      footerOfBytes(one).metadata.rowGroups[0].columns.map(({ metaData }) =>
        metaData!.bloomFilterOffset === undefined ? undefined : filterOf(one, metaData!)
      )
    );
    assert.deepEqual(after, before);
    assert.ok(after.filter((filter) => filter !== undefined).length > 3);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(file));
  });
}

Deno.test("a filter that lacks one value of a chunk is left out", async () => {
  const file = await fileWithFilter();
  const { bloomFilterOffset, bloomFilterLength } = metaOf(file);
  const set = [];
  for (let at = bloomFilterOffset! + 16; at < bloomFilterOffset! + bloomFilterLength!; at++) {
    if (file[at] !== 0) set.push(at);
  }
  for (const at of [set[0], set[set.length >> 1], set.at(-1)!]) {
    const mutant = file.slice();
    mutant[at] = 0;
    assert.equal(metaOf((await copied(mutant, 0)).output).bloomFilterOffset, undefined);
  }
});

Deno.test("a filter whose bits are cleared hides rows in the upload, and not in what it is merged to", async () => {
  const file = await fileWithFilter();
  const { bloomFilterOffset, bloomFilterLength } = metaOf(file);
  // behind the filter's header
  file.fill(0, bloomFilterOffset! + 16, bloomFilterOffset! + bloomFilterLength!);
  assert.equal(await found(file), "0n");
  assert.equal(await found((await copied(file, 0)).output), `${rows / 40}n`);
});

Deno.test("a Bloom filter outside of the file is left out, and the file is taken", async () => {
  const file = withFooter(await fileWithFilter(), ({ rowGroups }) => {
    rowGroups[0].columns[0].metaData!.bloomFilterOffset = 1 << 30;
  });
  assert.equal(inspectParquetBytes(file).rowCount, rows);
  for (const level of [0, 1]) {
    const { result, output } = await copied(file, level);
    assert.deepEqual(result.rejected, []);
    assert.equal(metaOf(output).bloomFilterOffset, undefined);
    assert.deepEqual(await rowsOfBytes(output), await rowsOfBytes(await fileWithFilter()));
  }
});

Deno.test("the filter of a group that a merge wrote goes along with it", async () => {
  const file = await fileWithFilter();
  const { output } = await copied(file, 1);
  assert.deepEqual(filterOf(output, metaOf(output)), filterOf(file, metaOf(file)));
  assert.equal(await found(output), `${rows / 40}n`);
});
