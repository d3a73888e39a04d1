/** A sorted output: in order over the whole file, cut into row groups whose ranges of keys don't overlap. */
import { strict as assert } from "node:assert";
import { join } from "node:path";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { bytesReader } from "../../../shared/parquet/format/range_reader.ts";
import type { MergePlan, MergeResult } from "../../../shared/parquet/merge/merge_plan.ts";
import type { MergeOrder } from "../../../shared/parquet/merge/pages/row_order.ts";
import type { MergeSettings } from "../../../shared/parquet/merge/pages/merge_settings.ts";
import { mergePages } from "../../../shared/parquet/merge/page_merge.ts";
import { RowOrigins } from "../../../shared/parquet/write/row_origins.ts";
import { rows } from "../../support/duckdb.ts";
import { openDuckDb } from "../duckdb_rows.ts";
import { MemorySink } from "../memory_sink.ts";
import { writeWithDuckDb } from "../sample_files.ts";
import { checkOutput } from "./check_output.ts";

const count = 12, rowsEach = 1500;

/** Files whose rows lie all over the key's range; `origin` counts the files. */
const files = await Promise.all(
  Array.from({ length: count }, (_, f) =>
    writeWithDuckDb(
      `select (n * 7919 % ${count * rowsEach})::bigint as id, 'key ' || (n * 31 % 7) as low,
        case when n % 5 = 0 then null else (n * 104729 % 9973)::double end as maybe,
        'text ' || hash(n) as noise, [n, null, n + 1] as l, (n * 13 % 600)::integer as twice, ${f} as origin, n
      from (select i + ${f * rowsEach} as n from range(${rowsEach}) t(i))`,
    )),
);

interface Merged {
  result: MergeResult;
  output: Uint8Array<ArrayBuffer>;
}

async function sorted(
  order: MergeOrder | undefined,
  settings: Partial<MergeSettings> = {},
  plan: Partial<MergePlan> = {},
): Promise<Merged> {
  const sink = new MemorySink();
  const result = await mergePages(
    {
      inputs: files.map((_, f) => ({
        id: `f${f}`,
        level: 0,
        origins: RowOrigins.of(f + 1, rowsEach),
      })),
      target: { rowGroupBytes: 128 << 10, pageBytes: 16 << 10, codec: "snappy" },
      expectedRows: count * rowsEach,
      order,
      ...plan,
    },
    new Map(files.map((bytes, f) => [`f${f}`, bytesReader(bytes)])),
    sink,
    { settings: { parkRows: 1000, pageRows: 900, ...settings } },
  );
  const output = sink.bytes();
  checkOutput(output);
  return { result, output };
}

/** Runs a query over a file, `{}` in its place, and over the inputs, `{in}`. */
async function query(output: Uint8Array, sql: string): Promise<Record<string, unknown>[]> {
  const folder = await Deno.makeTempDir();
  const { connection, close } = await openDuckDb();
  try {
    const path = join(folder, "out.parquet");
    await Deno.writeFile(path, output);
    for (const [f, bytes] of files.entries()) {
      await Deno.writeFile(join(folder, `in${String(f).padStart(2, "0")}.parquet`), bytes);
    }
    const inputs = `read_parquet('${folder}/in*.parquet')`;
    return await rows(connection, sql.replaceAll("{in}", inputs).replaceAll("{}", `'${path}'`));
  } finally {
    close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The same without the pages of the row groups that are not to be read. */
function onlyGroup(output: Uint8Array<ArrayBuffer>, kept: number[]): Uint8Array<ArrayBuffer> {
  const broken = output.slice();
  footerOfBytes(output).metadata.rowGroups.forEach((group, i) => {
    const from = group.fileOffset!;
    if (!kept.includes(i)) broken.fill(0xff, from, from + group.totalCompressedSize!);
  });
  return broken;
}

const bounds = (output: Uint8Array, column: string) =>
  query(
    output,
    `select row_group_id::int as g, stats_min_value as low, stats_max_value as high,
      stats_null_count::int as nulls, row_group_num_rows::int as n
    from parquet_metadata({}) where path_in_schema = '${column}' order by 1`,
  );

Deno.test("row groups of a sorted output don't overlap, and a filter reads those that match and no other", async () => {
  for (const descending of [false, true]) {
    const { output, result } = await sorted({ sort: [{ path: ["id"], descending }] });
    assert.equal(result.sortedRanges, 1);
    const { metadata } = footerOfBytes(output);
    const groups = metadata.rowGroups;
    assert.ok(groups.length >= 4, `${groups.length} row groups`);
    const sizes = groups.map((group) => group.totalCompressedSize!);
    for (const size of sizes) assert.ok(size > 64 << 10 && size < 192 << 10, sizes.join());
    for (const { sortingColumns } of groups) {
      assert.deepEqual(sortingColumns, [{ columnIndex: 0, descending, nullsFirst: false }]);
    }
    const ranges = await bounds(output, "id");
    let next = descending ? count * rowsEach : 0;
    for (const { g, low, high, n } of ranges) {
      // ids are the numbers from 0, each once
      assert.deepEqual(
        [Number(low), Number(high) + 1],
        descending ? [next - Number(n), next] : [next, next + Number(n)],
      );
      next += descending ? -Number(n) : Number(n);
      const middle = Math.floor((Number(low) + Number(high)) / 2);
      const found = await query(
        onlyGroup(output, [Number(g)]),
        `select id::int as id, noise, n::int as n, l::varchar as l from {} where id = ${middle}`,
      );
      const wanted = await query(
        output,
        `select id::int as id, noise, n::int as n, l::varchar as l from {in} where id = ${middle}`,
      );
      assert.equal(found.length, 1);
      assert.deepEqual(found, wanted);
    }
    const order = descending ? "desc" : "";
    const all = await query(
      output,
      `select sum((a is distinct from b)::int)::int as differ, count(*)::int as n from
        (select row(id, low, maybe, noise, l, twice, origin, n) as a, row_number() over () as r from {})
        join (select row(id, low, maybe, noise, l, twice, origin, n) as b,
          row_number() over (order by id ${order}) as r from {in}) using (r)`,
    );
    assert.deepEqual(all, [{ differ: 0, n: count * rowsEach }]);
  }
});

Deno.test("row groups are cut where the first key changes, when that is near", async () => {
  const { output } = await sorted({ sort: [{ path: ["twice"] }, { path: ["noise"] }] });
  const ranges = await bounds(output, "twice");
  assert.ok(ranges.length >= 4);
  for (const [i, { low }] of ranges.entries()) {
    if (i > 0) assert.ok(Number(ranges[i - 1].high) < Number(low), JSON.stringify(ranges));
  }
});

Deno.test("a key of few values is in row groups that touch and don't overlap, in the order of their bytes", async () => {
  const { output } = await sorted({ sort: [{ path: ["low"] }] });
  const ranges = await bounds(output, "low");
  assert.ok(ranges.length >= 4);
  for (const [i, { low }] of ranges.entries()) {
    if (i > 0) assert.ok(String(ranges[i - 1].high) <= String(low), JSON.stringify(ranges));
  }
  const inOrder = await query(
    output,
    `select count(*)::int as n from (select low, n, lag(low) over (order by file_row_number) as l,
      lag(n) over (order by file_row_number) as m from read_parquet({}, file_row_number = true))
      where l > low or (l = low and m > n)`,
  );
  assert.deepEqual(inOrder, [{ n: 0 }], "rows of equal keys are in upload order");
});

Deno.test("rows whose key is null are in the last row groups, whichever way the key goes", async () => {
  for (const descending of [false, true]) {
    const { output } = await sorted({ sort: [{ path: ["maybe"], descending }] });
    const ranges = await bounds(output, "maybe");
    const first = ranges.findIndex(({ nulls }) => Number(nulls) > 0);
    assert.ok(first > 0, JSON.stringify(ranges));
    for (const { nulls, n } of ranges.slice(first + 1)) assert.equal(nulls, n);
    assert.equal(
      ranges.reduce((sum, { nulls }) => sum + Number(nulls), 0),
      count * rowsEach / 5,
    );
    const values = ranges.filter(({ low }) => low !== null);
    for (const [i, one] of values.entries()) {
      if (i === 0) continue;
      const [below, above] = descending ? [one, values[i - 1]] : [values[i - 1], one];
      assert.ok(Number(below.high) <= Number(above.low), JSON.stringify(ranges));
    }
    const kept = values.map(({ g }) => Number(g));
    const [found] = await query(
      onlyGroup(output, kept),
      "select count(*)::int as n from {} where maybe >= 0",
    );
    assert.deepEqual(found, { n: count * rowsEach * 4 / 5 });
  }
});

Deno.test("the last row of each key is kept, sorted over all row groups, and each row's origin is known", async () => {
  const { output, result } = await sorted(
    { sort: [{ path: ["id"] }], dedupe: [["twice"], ["low"]] },
    {},
    { target: { rowGroupBytes: 16 << 10, pageBytes: 8 << 10, codec: "zstd" } },
  );
  assert.ok(result.rowGroupCount >= 4, String(result.rowGroupCount));
  const wanted = await query(
    output,
    `select id::int as id, noise, origin::int as origin from {in}
      qualify row_number() over (partition by twice, low order by n desc) = 1 order by id`,
  );
  const found = await query(output, "select id::int as id, noise, origin::int as origin from {}");
  assert.deepEqual(found, wanted);
  assert.equal(result.droppedRows, count * rowsEach - wanted.length);
  assert.deepEqual(originsIn(output, result), wanted.map(({ origin }) => Number(origin) + 1));
});

Deno.test("rows of origins to be left out are in no row group, dictionary or range of a sorted output", async () => {
  const { output, result } = await sorted(
    { sort: [{ path: ["twice"] }] },
    {},
    { drop: new Set([3, 8]) },
  );
  assert.ok(result.rowGroupCount >= 4);
  assert.deepEqual(result.deletedRows, new Map([[3, rowsEach], [8, rowsEach]]));
  const found = await query(output, "select n::int as n, origin::int as origin from {}");
  const wanted = await query(
    output,
    "select n::int as n, origin::int as origin from {in} where origin not in (2, 7) order by twice, n",
  );
  assert.deepEqual(found, wanted);
  assert.deepEqual(originsIn(output, result), wanted.map(({ origin }) => Number(origin) + 1));
  const origins = await bounds(output, "origin");
  assert.ok(origins.every(({ low, high }) => ![low, high].some((one) => one === 2 || one === 7)));
});

Deno.test("where rows are only left out, a row group is written before all files are read", async () => {
  const sink = new MemorySink();
  let reads = 0, readAtFirstWrite = 0;
  const readers = files.map((bytes, f) => {
    const reader = bytesReader(bytes);
    const read: typeof reader.read = (...range) => {
      reads = Math.max(reads, f + 1);
      return reader.read(...range);
    };
    return [`f${f}`, { ...reader, size: bytes.length, read }] as const;
  });
  const result = await mergePages(
    {
      inputs: files.map((_, f) => ({
        id: `f${f}`,
        level: 0,
        origins: RowOrigins.of(f % 3, rowsEach),
      })),
      target: { rowGroupBytes: 64 << 10, pageBytes: 16 << 10, codec: "snappy" },
      expectedRows: count * rowsEach,
      drop: new Set([1]),
    },
    new Map(readers),
    {
      write: (chunk) => {
        if (chunk.length > 4 && readAtFirstWrite === 0) readAtFirstWrite = reads;
        return sink.write(chunk);
      },
    },
    { settings: { parkRows: 500, pageRows: 500, readsAhead: 1 } },
  );
  checkOutput(sink.bytes());
  assert.equal(result.rowCount, count * rowsEach * 2 / 3);
  assert.equal(result.sortedRanges, undefined);
  assert.ok(readAtFirstWrite > 0 && readAtFirstWrite < count, String(readAtFirstWrite));
});

Deno.test("more rows than there is memory for are ranges that say so, each sorted and declared by itself", async () => {
  const { output, result } = await sorted({ sort: [{ path: ["id"] }] }, { sortRows: 6000 });
  assert.equal(result.sortedRanges, 3);
  const unsorted = await query(
    output,
    `select count(*)::int as n from (select id, lag(id) over (order by file_row_number) as before
      from read_parquet({}, file_row_number = true)) where id < before`,
  );
  assert.deepEqual(unsorted, [{ n: 2 }], "one step back between ranges");
  const { metadata } = footerOfBytes(output);
  assert.ok(metadata.rowGroups.every(({ sortingColumns }) => sortingColumns?.length === 1));
});

Deno.test("a merge without sort keys declares no order and has no ranges", async () => {
  const { output, result } = await sorted(undefined);
  assert.equal(result.sortedRanges, undefined);
  const { metadata } = footerOfBytes(output);
  assert.ok(metadata.rowGroups.every(({ sortingColumns }) => sortingColumns === undefined));
});

/** The origin of each row, as the output says it. */
function originsIn(output: Uint8Array, { origins }: MergeResult): number[] {
  const { start, length } = origins!;
  const all: number[] = [];
  for (const [origin, n] of RowOrigins.decode(output.subarray(start, start + length)).runs()) {
    for (let i = 0; i < n; i++) all.push(origin);
  }
  return all;
}
