/** Merges of many sizes whose CPU and peak memory are measured, for the planner's cost model to be fitted to. */
import { join } from "node:path";
import { inspectParquet } from "../../../shared/parquet/inspect.ts";
import type { MergePlan } from "../../../shared/parquet/merge_plan.ts";
import { memoryBounds, type MergeWork } from "../../../shared/compaction/merge_cost.ts";
import { type FileSet, listFiles, writeFiles } from "./data.ts";
import { fileReader } from "./file_reader.ts";
import { makeShape, type Shape } from "./shapes.ts";

/** One merge, and what the planner knows of it beforehand. */
export interface Point {
  name: string;
  files: string[];
  plan: Omit<MergePlan, "inputs">;
  work: MergeWork;
}

/** Columns of the bench's table that make tables of other widths. */
const selections: Record<string, { columns: string; filesEach: FileSet }> = {
  narrow: { columns: "id, ts, i_mid, f_price", filesEach: { files: 400, rowsEach: 1000 } },
  tall: { columns: "id, i_low", filesEach: { files: 40, rowsEach: 50_000 } },
  texts: { columns: "id, s_uuid, s_note, s_mid", filesEach: { files: 200, rowsEach: 2000 } },
  lists: { columns: "id, li, ls", filesEach: { files: 200, rowsEach: 2000 } },
  nulls: {
    columns: Array.from({ length: 8 }, (_, i) => `null::INTEGER as n${i}`).join(", "),
    filesEach: { files: 20, rowsEach: 100_000 },
  },
  wide: {
    columns: ["", ...Array.from({ length: 7 }, (_, i) => `_${i}`)].map((suffix) =>
      ["seq", "i_low", "i_mid", "l_mid", "l_null", "f_price", "g_low", "s_low", "s_mid", "b_flag"]
        .map((name) => suffix === "" ? name : `${name} as ${name}${suffix}`).join(", ")
    ).join(", "),
    filesEach: { files: 150, rowsEach: 200 },
  },
};

/** What the catalog would know of files: sums over all, with each file's values as its rows times its leaves. */
async function workOf(files: string[], path: MergeWork["path"]): Promise<MergeWork> {
  const work: MergeWork = {
    path,
    files: 0,
    leaves: 0,
    chunks: 0,
    values: 0,
    bytes: 0,
    plainBytes: 0,
  };
  for (const file of files) {
    const size = Deno.statSync(file).size;
    const facts = await inspectParquet(fileReader(file, size));
    const leaves = facts.tree.leaves.length;
    work.files++;
    work.leaves = Math.max(work.leaves, leaves);
    work.chunks += leaves * facts.rowGroupCount;
    work.values += leaves * facts.rowCount;
    work.bytes += size;
    work.plainBytes += facts.uncompressedBytes;
  }
  return work;
}

/** What a merge of the point is made of, for {@link fit}: as `mergeCost` adds it up. */
export function factorsOf(work: MergeWork) {
  const { path, files, leaves, chunks, values, bytes, plainBytes } = work;
  const cpu: Record<string, number> = { fixedMs: 1, columnMs: leaves, fileMs: files };
  const memory: Record<string, number> = { fixedMb: 1, columnMb: leaves, fileMb: files };
  if (path === "copy") {
    Object.assign(cpu, { copyChunkMs: chunks, copyByteMs: bytes });
    return { cpu, memory };
  }
  Object.assign(cpu, {
    chunkMs: chunks,
    valueMs: values,
    byteMs: bytes,
    plainByteMs: plainBytes,
    ...(path === "sort" && { sortValueMs: values }),
    ...(path === "zstd" && { zstdMs: 1, zstdPlainByteMs: plainBytes }),
  });
  Object.assign(memory, {
    groupByteMb: Math.min(plainBytes, memoryBounds.group),
    ...(path === "sort" && { sortByteMb: Math.min(plainBytes, memoryBounds.sort) }),
    ...(path === "zstd" && { zstdMb: 1 }),
  });
  return { cpu, memory };
}

/** What the planner would know of a shape: files with healthy row groups and an equal schema are copied. */
export async function workOfShape(shape: Shape): Promise<MergeWork[]> {
  if (shape.plan.order !== undefined) return [await workOf(shape.files, "sort")];
  if (shape.plan.target.codec === "zstd") return [await workOf(shape.files, "zstd")];
  const healthy = shape.files.filter((file) => Deno.statSync(file).size > 8e6);
  const small = shape.files.filter((file) => !healthy.includes(file));
  return [await workOf(healthy, "copy"), await workOf(small, "pages")];
}

/** Makes the points; files are written below `data` unless they are there. */
export async function makePoints(data: string): Promise<Point[]> {
  const points: Point[] = [];
  const add = async (
    name: string,
    files: string[],
    plan: Omit<MergePlan, "inputs">,
    rows: number,
    path: MergeWork["path"],
  ) => {
    const work = await workOf(files, path);
    points.push({ name, files, plan: { ...plan, expectedRows: rows }, work });
  };
  const cuts: [string, number, number[]][] = [
    ["A", 500, [50, 200, 500]],
    ["B", 5000, [10, 40, 100]],
    ["C", 50, [100, 400, 1000]],
    ["D", 50, [2500, 5000]],
    ["sort", 500, [60, 250, 500]],
    ["zstd", 500, [150, 500]],
  ];
  for (const [name, rowsEach, counts] of cuts) {
    const shape = await makeShape(data, name);
    const path = name === "sort" ? "sort" : name === "zstd" ? "zstd" : "pages";
    for (const count of counts) {
      const files = shape.files.slice(0, count);
      await add(`${name} ${count}`, files, shape.plan, count * rowsEach, path);
    }
  }
  const raw = await makeShape(data, "raw");
  for (const count of [1, 3, 6]) {
    const rows = raw.plan.expectedRows / raw.files.length * count;
    await add(`raw ${count}`, raw.files.slice(0, count), raw.plan, rows, "copy");
  }
  for (const [name, { columns, filesEach }] of Object.entries(selections)) {
    const folder = join(data, `fit-${name}`);
    await writeFiles(folder, { ...filesEach, columns: () => columns });
    const files = await listFiles(folder);
    for (const count of [Math.ceil(files.length / 5), files.length]) {
      const plan = raw.plan;
      await add(
        `${name} ${count}`,
        files.slice(0, count),
        plan,
        count * filesEach.rowsEach,
        "pages",
      );
    }
  }
  return points;
}
