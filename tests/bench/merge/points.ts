/** Merges of many kinds and sizes whose CPU and peak memory are measured, for the planner's cost model to be fitted to. */
import { join } from "node:path";
import { inspectParquet } from "../../../shared/parquet/inspect/inspect.ts";
import type { PlanFile, PlanSettings } from "../../../shared/compaction/plan/data_file.ts";
import { type MergeWork, OutputWork } from "../../../shared/compaction/plan/merge_work.ts";
import type { SchemaJson } from "../../../shared/parquet/format/schema_json.ts";
import type { HostLimits } from "../../../shared/compression/host_limits.ts";
import { type FileSet, listFiles, writeFiles } from "./data.ts";
import { fileReader } from "./file_reader.ts";
import type { Job } from "./job.ts";
import { makeShape, type Shape, target } from "./shapes.ts";

const MiB = 1024 * 1024;

/** One merge, and what the planner knows of it beforehand. */
export interface Point {
  name: string;
  files: string[];
  job: Omit<Job, "list" | "output">;
  work: MergeWork;
}

/** Files of one kind, and how many of them are merged. */
interface Selection extends FileSet {
  select?: string;
  counts: number[];
  codec?: "snappy" | "zstd";
  /** What the merge writes. @default snappy */
  writes?: "snappy" | "zstd";
  host?: HostLimits;
  /** Merges into a schema of one column more, so that no row group is copied. */
  more?: boolean;
}

const texts = "id, s_uuid, s_note, s_mid";
const wide = ["", ...Array.from({ length: 7 }, (_, i) => `_${i}`)].map((suffix) =>
  ["seq", "i_low", "i_mid", "l_mid", "l_null", "f_price", "g_low", "s_low", "s_mid", "b_flag"]
    .map((name) => suffix === "" ? name : `${name} as ${name}${suffix}`).join(", ")
).join(", ");

/** Small integers, a column each. */
function columns(count: number): string {
  return Array.from({ length: count }, (_, k) => `(id * ${k + 1} % 1000)::integer as c${k}`)
    .join(", ");
}

/** Selections whose files are those of another, merged otherwise. */
const sameFiles: Record<string, string> = { gunzip: "gzip", decode: "brotli" };

/** Files of one row group, of whose columns DuckDB makes a page each: copied, and joined to another schema. */
function heavy(name: string, select: string, rows: number[]): Record<string, Selection> {
  return Object.fromEntries(rows.flatMap((rowsEach) => {
    const one: Selection = { select, files: 1, rowsEach, duckdb: "snappy", counts: [1] };
    const key = `${name} ${rowsEach / 1000}k`;
    sameFiles[`${key} more`] = key;
    return [[key, one], [`${key} more`, { ...one, more: true }]];
  }));
}

/** Tables of other widths, types, codecs and pages, made of the bench's columns. */
const selections: Record<string, Selection> = {
  narrow: { select: "id, ts, i_mid, f_price", files: 400, rowsEach: 1000, counts: [80, 400] },
  tall: { select: "id, i_low", files: 40, rowsEach: 50_000, counts: [8, 40] },
  texts: { select: texts, files: 200, rowsEach: 2000, counts: [40, 200] },
  lists: { select: "id, li, ls", files: 200, rowsEach: 2000, counts: [40, 200] },
  nulls: {
    select: Array.from({ length: 8 }, (_, i) => `null::INTEGER as n${i}`).join(", "),
    files: 20,
    rowsEach: 100_000,
    counts: [4, 20],
  },
  wide: { select: wide, files: 150, rowsEach: 200, counts: [30, 150] },
  wide2000: { select: columns(2000), files: 16, rowsEach: 50, duckdb: "snappy", counts: [4, 16] },
  wide9000: { select: columns(9000), files: 4, rowsEach: 50, duckdb: "snappy", counts: [2, 4] },
  wide1200: { select: columns(1200), files: 16, rowsEach: 50, duckdb: "snappy", counts: [4, 16] },
  wide4000: { select: columns(4000), files: 16, rowsEach: 50, duckdb: "snappy", counts: [4, 16] },
  unzstd: { files: 250, rowsEach: 500, codec: "zstd", writes: "snappy", counts: [60, 250] },
  gzip: { files: 100, rowsEach: 2000, duckdb: "gzip", counts: [25, 100] },
  gunzip: {
    files: 100,
    rowsEach: 2000,
    duckdb: "gzip",
    counts: [50],
    host: { gzip: false, brotli: true },
  },
  brotli: { files: 100, rowsEach: 2000, duckdb: "brotli", counts: [25, 100] },
  decode: {
    files: 100,
    rowsEach: 2000,
    duckdb: "brotli",
    counts: [5, 25, 50],
    host: { gzip: true, brotli: false },
  },
  "decode large": {
    select: texts,
    files: 3,
    rowsEach: 60_000,
    duckdb: "brotli",
    counts: [1, 3],
    host: { gzip: true, brotli: false },
  },
  "decode huge": {
    select: texts,
    files: 1,
    rowsEach: 200_000,
    duckdb: "brotli",
    counts: [1],
    host: { gzip: true, brotli: false },
  },
  ...heavy("texts", texts, [120_000, 250_000]),
  ...heavy("digests", "md5(id::varchar) as v", [250_000, 450_000]),
  ...heavy("long", "repeat(md5(id::varchar), 32) as v", [15_000, 30_000]),
  ...heavy("few", "i_low", [500_000]),
  ...heavy(
    "columns",
    ["id", "id + 1", "id + 2", "id + 3"].map((n, i) => `md5((${n})::varchar) as v${i}`)
      .concat("hash(id) as h0", "hash(id + 1) as h1").join(", "),
    [100_000, 200_000],
  ),
};

/**
 * Makes the points; files are written below `data` unless they are there.
 * @param wanted which, by name. @default all
 */
export async function makePoints(data: string, wanted = /^/): Promise<Point[]> {
  const points: Point[] = [];
  const add = async (name: string, files: string[], job: Point["job"]) => {
    if (wanted.test(name)) points.push({ name, files, job, work: await workOf(files, job) });
  };
  const some = (...names: string[]) => names.some((name) => wanted.test(name));
  const cuts: [string, number, number[]][] = [
    ["A", 500, [50, 200, 500]],
    ["B", 5000, [10, 40, 100]],
    ["C", 50, [100, 400, 1000]],
    ["D", 50, [2500, 5000]],
    ["sort", 500, [60, 250, 500]],
    ["zstd", 500, [150, 500]],
    ["mixed", 500, [100, 300]],
  ];
  for (const [name, rowsEach, counts] of cuts) {
    if (!some(...counts.map((count) => `${name} ${count}`))) continue;
    const { files, plan } = await makeShape(data, name);
    for (const count of counts) {
      const job = { plan: { ...plan, expectedRows: count * rowsEach } };
      await add(`${name} ${count}`, files.slice(0, count), job);
    }
  }
  if (some("H")) {
    // copied and joined in one merge
    const { files, plan } = await makeShape(data, "H");
    await add("H", files, { plan });
  }
  if (some("raw 1", "raw 3", "raw 6", "check 1", "check 3", "other 1")) {
    const { files: healthy, plan } = await makeShape(data, "raw");
    const healthyRows = plan.expectedRows / healthy.length;
    for (const count of [1, 3, 6]) {
      const job = { plan: { ...plan, expectedRows: healthyRows * count } };
      await add(`raw ${count}`, healthy.slice(0, count), job);
      if (count < 6) await add(`check ${count}`, healthy.slice(0, count), { ...job, level: 0 });
    }
    // row groups of 8 MiB that are joined page by page
    await add("other 1", healthy.slice(0, 1), {
      plan: { ...plan, schema: await oneColumnMore(healthy[0]), expectedRows: healthyRows },
    });
  }
  if (some("B 2 MiB", "B 24 MiB", "B sorted 40", "B sorted 70", "B sorted 100")) {
    const { files, plan } = await makeShape(data, "B");
    for (const size of [2, 24]) {
      await add(`B ${size} MiB`, files, {
        plan: { ...plan, target: { ...target, rowGroupBytes: size * MiB } },
      });
    }
    // up to what an output that sorts may have, in rows and in bytes
    const order = { sort: [{ path: ["s_mid"] }, { path: ["ts"] }] };
    for (const count of [40, 70, 100]) {
      await add(`B sorted ${count}`, files.slice(0, count), {
        plan: { ...plan, expectedRows: count * 5000, order },
      });
    }
  }
  for (const [name, one] of Object.entries(selections)) {
    if (!some(...one.counts.map((count) => `${name} ${count}`))) continue;
    const folder = join(data, `fit-${sameFiles[name] ?? name}`);
    await writeFiles(folder, { ...one, columns: () => one.select ?? "*" });
    const files = await listFiles(folder);
    for (const count of one.counts) {
      await add(`${name} ${count}`, files.slice(0, count), {
        plan: {
          target: { ...target, codec: one.writes ?? "snappy" },
          expectedRows: count * one.rowsEach,
          ...(one.more && { schema: await oneColumnMore(files[0]) }),
        },
        ...(one.host !== undefined && { host: one.host }),
      });
    }
  }
  return points;
}

async function oneColumnMore(path: string): Promise<SchemaJson> {
  const { schema } = await inspectParquet(fileReader(path, Deno.statSync(path).size));
  const more: SchemaJson = { name: "more", type: "INT32", repetition: "optional" };
  return { ...schema, children: [...schema.children!, more] };
}

/** What the planner would know of a shape. */
export function workOfShape({ files, plan }: Shape): Promise<MergeWork> {
  return workOf(files, { plan });
}

/** What the planner would know of files. @param drop uploads of which rows are left out */
export async function workOf(
  paths: string[],
  { plan, level, host }: Point["job"],
  drop?: number[],
): Promise<MergeWork> {
  const settings: PlanSettings = {
    target_file_bytes: 32 * MiB,
    healthy_row_group_bytes: 2 * MiB,
    target_row_group_bytes: plan.target.rowGroupBytes,
    min_inputs: 4,
    max_age_seconds: 3600,
    codec: plan.target.codec,
    sort_keys: plan.order?.sort.map(({ path }) => path.join()),
    dedupe_keys: plan.order?.dedupe?.map((path) => path.join()),
  };
  const leaves = new Map<string, number>();
  const output = new OutputWork({
    settings,
    host: host ?? { gzip: true, brotli: true },
    keepsSchema: () => plan.schema === undefined,
  }, (fingerprint) => leaves.get(fingerprint)!);
  for (const path of paths) {
    const { file, leafCount } = await planFile(path, level);
    leaves.set(file.schema_fingerprint, leafCount);
    output.add({ ...file, drop });
  }
  return output.work;
}

/** A file as the catalog would have it. */
async function planFile(
  path: string,
  level = path.includes("healthy") ? 1 : 0,
): Promise<{ file: PlanFile; leafCount: number }> {
  const size = Deno.statSync(path).size;
  const facts = await inspectParquet(fileReader(path, size));
  const file: PlanFile = {
    id: 1,
    byte_length: size,
    level,
    seq_min: 1,
    seq_max: 1,
    row_count: facts.rowCount,
    row_group_count: facts.rowGroupCount,
    uncompressed_bytes: facts.uncompressedBytes,
    value_count: facts.valueCount,
    merge_facts: facts.mergeFacts,
    schema_fingerprint: facts.schemaFingerprint,
    state: "active",
    uploaded_at: "2026-11-22T00:00:00Z",
  };
  return { file, leafCount: facts.tree.leaves.length };
}
