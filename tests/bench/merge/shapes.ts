/** The bench's shapes: which files, how they are merged, and what DuckDB does for the same. */
import { join } from "node:path";
import { inspectParquet } from "../../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import type { MergePlan } from "../../../shared/parquet/merge/merge_plan.ts";
import { schemaJson } from "../../../shared/parquet/format/schema_json.ts";
import { unionSchema } from "../../../shared/parquet/merge/union/union_schema.ts";
import { literal } from "../../support/duckdb.ts";
import { listFiles, writeFiles } from "./data.ts";
import { makeExtraShape } from "./extra_shapes.ts";
import { fileReader } from "./file_reader.ts";

/** A shape with its files on disk. */
export interface Shape {
  name: string;
  what: string;
  /** Ratios to DuckDB's CPU: what must be reached, and what is aimed at. */
  must: number;
  aim: number;
  files: string[];
  plan: Omit<MergePlan, "inputs">;
  /** DuckDB's statement that writes the same rows to a path. */
  duckdb: (output: string) => string;
}

const MiB = 1024 * 1024;
/** Sizes of outputs. */
export const target = { rowGroupBytes: 8 * MiB, pageBytes: MiB, codec: "snappy" as const };

/** Names of the shapes in the order of the table. */
export const shapeNames = ["C", "A", "B", "D", "H", "raw", "mixed", "zstd", "sort"];

/** DuckDB's statement for the same rows. */
export function copyOf(folder: string, select = "select *", codec = "snappy") {
  return (output: string) =>
    `copy (${select} from read_parquet(${literal(join(folder, "*.parquet"))}, ` +
    `union_by_name = true)) to ${literal(output)} (format parquet, compression ${codec})`;
}

/** Makes a shape's files, if they are not there, and says how to merge them. */
export async function makeShape(data: string, name: string): Promise<Shape> {
  const folder = join(data, name);
  const plain = async (
    what: string,
    files: number,
    rowsEach: number,
    must: number,
    aim: number,
    codec: "snappy" | "zstd" = "snappy",
  ): Promise<Shape> => {
    await writeFiles(folder, { files, rowsEach, codec });
    return {
      name,
      what,
      must,
      aim,
      files: await listFiles(folder),
      plan: { target: { ...target, codec }, expectedRows: files * rowsEach },
      duckdb: copyOf(folder, "select *", codec),
    };
  };
  switch (name) {
    case "A":
      return await plain("500 × 500 rows", 500, 500, 0.33, 0.3);
    case "B":
      return await plain("100 × 5,000 rows", 100, 5000, 0.48, 0.4);
    case "C":
      return await plain("1,000 × 50 rows", 1000, 50, 0.17, 0.15);
    case "D":
      return await plain("5,000 × 50 rows", 5000, 50, 0.08, 0.07);
    case "zstd":
      return await plain("zstd in and out, 500 × 500 rows", 500, 500, 0.45, 0.42, "zstd");
    case "H":
      return await healthyAndSmall(data, folder);
    case "raw":
      return await healthyOnly(data, folder);
    case "mixed":
      return await mixed(folder);
    case "sort":
      return await sorted(folder);
  }
  const extra = await makeExtraShape(data, name);
  if (extra === undefined) throw new Error(`no shape ${name}`);
  return extra;
}

/** Writes one healthy file, as an earlier merge would have: row groups of 8 MiB, with CRCs and page indexes. */
async function writeHealthy(data: string, path: string, part: number): Promise<void> {
  const folder = join(data, `parts${part}`);
  const rowsEach = 5_000, files = 116;
  await writeFiles(folder, { files, rowsEach, from: part * files * rowsEach });
  const paths = await listFiles(folder);
  const output = await Deno.open(path, { write: true, create: true, truncate: true });
  await merge(
    { inputs: paths.map((id) => ({ id, level: 0 })), target, expectedRows: files * rowsEach },
    new Map(paths.map((id) => [id, fileReader(id, Deno.statSync(id).size)])),
    {
      write: async (chunk) => {
        await output.write(chunk);
      },
    },
  );
  output.close();
  await Deno.remove(folder, { recursive: true });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function healthyAndSmall(data: string, folder: string): Promise<Shape> {
  const small = { files: 200, rowsEach: 500, from: 10_000_000, prefix: "small" };
  await writeFiles(folder, small);
  const healthy = join(folder, "healthy.parquet");
  if (!await exists(healthy)) await writeHealthy(data, healthy, 0);
  return {
    name: "H",
    what: "one healthy 55 MB file and 200 × 500 rows",
    must: 0.23,
    aim: 0.2,
    files: await listFiles(folder),
    plan: { target, expectedRows: 116 * 5_000 + 200 * 500 },
    duckdb: copyOf(folder),
  };
}

async function healthyOnly(data: string, folder: string): Promise<Shape> {
  await Deno.mkdir(folder, { recursive: true });
  const count = 6;
  for (let i = 0; i < count; i++) {
    const path = join(folder, `healthy${i}.parquet`);
    if (!await exists(path)) await writeHealthy(data, path, i);
  }
  return {
    name: "raw",
    what: "six healthy files of 52 MB, copied",
    must: 0.06,
    aim: 0.05,
    files: await listFiles(folder),
    plan: { target, expectedRows: count * 116 * 5_000 },
    duckdb: copyOf(folder),
  };
}

async function mixed(folder: string): Promise<Shape> {
  const sets = [
    "*",
    "* exclude (i_null, s_note, li)",
    "s_mid, id, ts, i_mid::SMALLINT as i_mid, f_rand::FLOAT as f_rand, l_mid::INTEGER as l_mid, " +
    "* exclude (s_mid, id, ts, i_mid, f_rand, l_mid, b_null)",
  ];
  await writeFiles(folder, { files: 300, rowsEach: 500, columns: (file) => sets[file % 3] });
  const files = await listFiles(folder);
  const trees = await Promise.all(
    files.slice(0, 3).map(async (path) =>
      (await inspectParquet(fileReader(path, Deno.statSync(path).size))).tree
    ),
  );
  const schema = schemaJson(unionSchema(trees));
  return {
    name: "mixed",
    what: "300 × 500 rows of three schemas",
    must: 0.45,
    aim: 0.4,
    files,
    plan: { target, expectedRows: 150_000, schema },
    duckdb: copyOf(folder),
  };
}

/** Every tenth row has the key of the one before it; the later one stays. */
async function sorted(folder: string): Promise<Shape> {
  const columns = () => "(id - (id % 10 = 9)::INTEGER)::BIGINT as id, * exclude (id)";
  await writeFiles(folder, { files: 500, rowsEach: 500, columns });
  const from = `read_parquet(${literal(join(folder, "*.parquet"))})`;
  return {
    name: "sort",
    what: "500 × 500 rows sorted by s_mid and ts, the last of each id",
    must: 0.38,
    aim: 0.35,
    files: await listFiles(folder),
    plan: {
      target,
      expectedRows: 250_000,
      order: { sort: [{ path: ["s_mid"] }, { path: ["ts"] }], dedupe: [["id"]] },
    },
    duckdb: (output) =>
      `copy (select * exclude (n) from (select *, row_number() over () as n from ${from}) ` +
      `qualify row_number() over (partition by id order by n desc) = 1 order by s_mid, ts) ` +
      `to ${literal(output)} (format parquet, compression snappy)`,
  };
}
