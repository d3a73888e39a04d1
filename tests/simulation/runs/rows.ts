/**
 * The data of the simulation: a "file" is JSON of row ids under a schema name, so that a merge is cheap and
 * every row can be told from every other. The planner, the turn, the catalog and the store see ordinary files.
 */
import { ChunkTable } from "../../../shared/parquet/inspect/chunk_table.ts";
import type { Merge } from "../../../shared/compaction/run/ports.ts";
import type { UniteSchemas } from "../../../shared/compaction/plan/schema_groups.ts";
import { SedimentError } from "../../../shared/errors.ts";
import type { ParquetFacts } from "../../../shared/parquet/inspect/inspect.ts";
import type { MergePlan, MergeResult, Sink } from "../../../shared/parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../../shared/parquet/format/range_reader.ts";
import { RowOrigins, unknownOrigin } from "../../../shared/parquet/write/row_origins.ts";

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
  return lastCame(rows.map((row) => ({ row, origin: unknownOrigin }))).map(({ row }) => row);
}

/** A row of an input, and the upload that it came from, by its seq. */
interface CameRow {
  row: string;
  origin: number;
}

function lastCame(rows: CameRow[]): CameRow[] {
  if (!rows[0]?.row.startsWith(`${latest}/`)) return rows;
  return [...new Map(rows.map((came) => [keyOf(came.row), came])).values()];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a file, padded to `size` when given, so that tiers of sizes come about. */
export function encodeRows(file: RowFile, size = 0): Uint8Array {
  const text = JSON.stringify(file);
  return encoder.encode(text.padEnd(size, " "));
}

/** An output's bytes: a line, and behind it where its rows came from. */
function encodeOutput(file: RowFile, origins: RowOrigins | undefined) {
  const line = encoder.encode(`${JSON.stringify(file)}\n`);
  const more = origins?.encode() ?? new Uint8Array();
  const bytes = new Uint8Array(line.length + more.length);
  bytes.set(line);
  bytes.set(more, line.length);
  return { bytes, origins: origins && { start: line.length, length: more.length } };
}

/** The file in the bytes. */
export function decodeRows(bytes: Uint8Array): RowFile {
  const end = bytes.indexOf(10);
  return JSON.parse(decoder.decode(end < 0 ? bytes : bytes.subarray(0, end)));
}

function facts(file: RowFile, bytes: number) {
  return {
    rowCount: file.rows.length,
    rowGroupCount: 1,
    uncompressedBytes: bytes,
    schemaFingerprint: file.schema,
    schema: { name: file.schema },
    stats: {},
    footerLength: bytes,
    chunks: new ChunkTable(),
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
  merge(lastCame, plan, readers, sink, options);

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
  keep: (rows: CameRow[]) => CameRow[],
  plan: MergePlan,
  readers: Map<string, RangeReader>,
  sink: Sink,
  { signal }: { signal: AbortSignal },
): Promise<MergeResult> {
  const merged: string[] = [];
  const rejected: MergeResult["rejected"] = [];
  const output: RowFile = { schema: "", rows: [] };
  const came: CameRow[] = [];
  const deletedRows = new Map([...plan.drop ?? []].map((origin) => [origin, 0]));
  for (const { id, origins } of plan.inputs) {
    const reader = readers.get(id)!;
    try {
      const input = decodeRows(await reader.read(0, reader.size, signal));
      if (input.bad) throw new SedimentError("invalid_parquet", `file ${id} is broken`);
      output.schema = input.schema;
      const from = [...origins?.runs() ?? [[unknownOrigin, input.rows.length]]]
        .flatMap(([origin, rows]) => new Array<number>(rows).fill(origin));
      for (const [n, row] of input.rows.entries()) {
        const origin = from[n];
        const deleted = deletedRows.get(origin);
        if (deleted === undefined) came.push({ row, origin });
        else deletedRows.set(origin, deleted + 1);
      }
      merged.push(id);
    } catch (thrown) {
      if (!(thrown instanceof SedimentError)) throw thrown;
      if (thrown.retryable) throw thrown;
      rejected.push({ id, error: thrown });
    }
  }
  const origins = new RowOrigins();
  for (const { row, origin } of keep(came)) {
    output.rows.push(row);
    origins.add(origin, 1);
  }
  const made = encodeOutput(output, origins.isKnown ? origins : undefined);
  const bytes = merged.length > 0 ? made.bytes : new Uint8Array();
  const half = bytes.byteLength >> 1; // two parts, so that a worker can die between them
  if (half > 0) {
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) await sink.write(part);
  }
  return {
    ...facts(output, bytes.byteLength),
    byteLength: bytes.byteLength,
    ...(made.origins !== undefined && { origins: made.origins }),
    ...(plan.drop !== undefined && { deletedRows }),
    // one of the schemas has a column of its own that is called as one of the lake's
    ...(plan.constants !== undefined && { hasConstants: output.schema !== "schema-b" }),
    merged,
    rejected,
  } as unknown as MergeResult;
}
