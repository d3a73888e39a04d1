/**
 * The data of the simulation: a "file" is JSON of row ids under a schema name, so that a merge is cheap and
 * every row can be told from every other. The planner, the turn, the catalog and the store see ordinary files.
 */
import type { Merge } from "../../../shared/compaction/run/ports.ts";
import type { UniteSchemas } from "../../../shared/compaction/plan/schema_groups.ts";
import { SedimentError } from "../../../shared/errors.ts";
import type { ParquetFacts } from "../../../shared/parquet/inspect/inspect.ts";
import type { MergePlan, MergeResult, Sink } from "../../../shared/parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../../shared/parquet/format/range_reader.ts";

/** A file of the simulation. */
export interface RowFile {
  schema: string;
  /** Row ids, each `upload:number`. In the order of the file. */
  rows: string[];
  /** A file whose merge always fails: the bad fragment. */
  bad?: true;
  /** A file that kills whoever merges it. */
  kills?: true;
}

/** The table in which the last writer of a key wins: its rows are `latest/key@upload:number`. */
export const latest = "latest";

/** The key of a row of {@link latest}. */
export function keyOf(row: string): string {
  return row.slice(0, row.indexOf("@"));
}

/** Of each key the last row, where the rows have keys. */
export function lastOfEach(rows: string[]): string[] {
  if (!rows[0]?.startsWith(`${latest}/`)) return rows;
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a file, padded to `size` when given, so that tiers of sizes come about. */
export function encodeRows(file: RowFile, size = 0): Uint8Array {
  const text = JSON.stringify(file);
  return encoder.encode(text.padEnd(size, " "));
}

/** The file in the bytes. */
export function decodeRows(bytes: Uint8Array): RowFile {
  return JSON.parse(decoder.decode(bytes));
}

function facts(file: RowFile, bytes: number) {
  return {
    rowCount: file.rows.length,
    rowGroupCount: 1,
    uncompressedBytes: bytes,
    schemaFingerprint: file.schema,
    schema: { name: file.schema },
    stats: {},
    footer: { length: bytes, metadata: { rowGroups: [] } },
  };
}

/** Stands for `inspectParquetBytes`. */
export function inspectRows(bytes: Uint8Array): ParquetFacts {
  return facts(decodeRows(bytes), bytes.byteLength) as unknown as ParquetFacts;
}

/** Stands for `uniteSchemas`: a schema is a name here, and two of them have no union. */
export const keepApart: UniteSchemas = (schemas) =>
  schemas.map((schema, index) => ({ schema, members: [index] }));

/** Stands for `merge`: rows of all inputs in order, where they have keys the last of each; a bad one is rejected whole. */
export const mergeRows: Merge = (plan, readers, sink, options) =>
  merge(lastOfEach, plan, readers, sink, options);

/** The same in a process that dies of some files: what `die` gives never comes. */
export function deadlyMerge(merge: Merge, die: () => Promise<never>): Merge {
  return async (plan, readers, sink, options) => {
    for (const { id } of plan.inputs) {
      const reader = readers.get(id)!;
      let input: RowFile | undefined;
      try {
        input = decodeRows(await reader.read(0, reader.size, options.signal));
      } catch {
        continue; // the merge says it
      }
      if (input.kills) await die();
    }
    return await merge(plan, readers, sink, options);
  };
}

/** The merge of before, which knows no keys. */
export const mergeAllRows: Merge = (plan, readers, sink, options) =>
  merge((rows) => rows, plan, readers, sink, options);

async function merge(
  keep: (rows: string[]) => string[],
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  { signal }: { signal: AbortSignal },
): Promise<MergeResult> {
  const merged: string[] = [];
  const rejected: MergeResult["rejected"] = [];
  const output: RowFile = { schema: "", rows: [] };
  for (const { id } of plan.inputs) {
    const reader = readers.get(id)!;
    try {
      const input = decodeRows(await reader.read(0, reader.size, signal));
      if (input.bad) throw new SedimentError("invalid_parquet", `file ${id} is broken`);
      output.schema = input.schema;
      output.rows.push(...input.rows);
      merged.push(id);
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
      if (thrown.retryable) throw thrown;
      rejected.push({ id, error: thrown });
    }
  }
  output.rows = keep(output.rows);
  const bytes = merged.length > 0 ? encodeRows(output) : new Uint8Array();
  const half = bytes.byteLength >> 1; // two parts, so that a worker can die between them
  if (half > 0) {
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) await sink.write(part);
  }
  return {
    ...facts(output, bytes.byteLength),
    byteLength: bytes.byteLength,
    merged,
    rejected,
  } as unknown as MergeResult;
}
