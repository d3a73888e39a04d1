/** The merge of one planned output: its inputs read from the store, its rows counted. */
import { asSedimentError, SedimentError } from "../../../errors.ts";
import type { MergeResult } from "../../../parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../../parquet/format/range_reader.ts";
import type { SchemaJson } from "../../../parquet/format/schema_json.ts";
import { dedupes } from "../../plan/data_file.ts";
import { mergeOrderOf } from "../../plan/merge_order.ts";
import { openReaders } from "./object_readers.ts";
import type { PlannedOutput } from "../../plan/plan.ts";
import type { Claim, CompactionPorts, InputFile } from "../ports.ts";
import { othersToMerge } from "./apart.ts";
import { openOutput, type RunOutput } from "./run_output.ts";

/** What a merge gave. The caller puts the output, or discards it. */
export interface Merged {
  result: MergeResult;
  output: RunOutput;
}

type Ports = Pick<CompactionPorts, "store" | "merge">;

/**
 * Merges what is there: an input whose object is gone is rejected like one that can't be read. Where all of several
 * are gone it is rather the store that is not the one it should be, and a person should know. Where sound inputs turn
 * out to have no place beside the first ones (`apart`), and those are too few to be worth writing, they are merged
 * among themselves instead: what the catalog keeps of a file is less than its footer says.
 *
 * @param key where the output goes
 * @throws SedimentError `store_failed`, `merge_rows_differ`, `aborted`; what the merge throws. Then nothing is left
 */
export async function mergeInputs(
  ports: Ports,
  claim: Claim,
  { inputs: planned, schema }: Pick<PlannedOutput<InputFile>, "inputs" | "schema">,
  key: string,
  signal: AbortSignal,
): Promise<Merged> {
  const missing: MergeResult["rejected"] = [];
  let inputs = planned;
  while (true) {
    try {
      const merged = await mergeOnce(ports, claim, inputs, schema, key, signal);
      const others = othersToMerge(inputs, merged.result, dedupes(claim.settings));
      if (others === undefined) {
        merged.result.rejected.push(...missing);
        return merged;
      }
      // what is wrong is wrong wherever it is merged
      missing.push(...merged.result.rejected.filter(({ apart }) => !apart));
      await merged.output.discard();
      inputs = others;
    } catch (thrown) {
      const error = asSedimentError(thrown);
      const lost = inputs.find(({ id }) => String(id) === error.extra?.file);
      if (error.code !== "object_missing" || lost === undefined) throw error;
      missing.push({ id: String(lost.id), error });
      inputs = inputs.filter((input) => input !== lost);
      if (inputs.length === 0 && planned.length > 1) {
        throw new SedimentError(
          "store_failed",
          `None of the ${planned.length} inputs is in the store: ${error.message}`,
          { expected: "the store that the uploads went to", cause: error },
        );
      }
    }
  }
}

async function mergeOnce(
  ports: Ports,
  claim: Claim,
  inputs: InputFile[],
  schema: SchemaJson | undefined,
  key: string,
  signal: AbortSignal,
): Promise<Merged> {
  const stored = inputs.map((file) => ({ ...file, id: String(file.id) }));
  const readers = openReaders(ports.store, stored, signal);
  const output = await openOutput(ports.store, key, {
    expectedBytes: inputs.reduce((sum, file) => sum + file.byte_length, 0),
    inputs: new Map(stored.map((input) => [readers.get(input.id)!, input])),
  }, signal);
  try {
    const result = await mergeInto(output, ports, claim, inputs, schema, readers, signal);
    return { result, output };
  } catch (thrown) {
    await output.discard();
    throw thrown;
  }
}

async function mergeInto(
  output: RunOutput,
  ports: Ports,
  claim: Claim,
  inputs: InputFile[],
  schema: SchemaJson | undefined,
  readers: Map<string, RangeReader>,
  signal: AbortSignal,
): Promise<MergeResult> {
  const { settings } = claim;
  const result = await ports.merge(
    {
      inputs: inputs.map((file) => ({ id: String(file.id), level: file.level })),
      target: {
        rowGroupBytes: settings.target_row_group_bytes,
        pageBytes: settings.target_page_bytes,
        codec: settings.codec,
      },
      ...(schema !== undefined && { schema }),
      union: { uuidAsText: settings.unite_uuid_as_text ?? false },
      expectedRows: inputs.reduce((sum, file) => sum + file.row_count, 0),
      order: mergeOrderOf(settings),
    },
    readers,
    output,
    { signal },
  );
  // An input that could not be fetched is no bad input: the whole merge is tried again.
  const outage = result.rejected.find(({ error }) => error.retryable);
  if (outage !== undefined) throw outage.error;
  const rowsOf = new Map(inputs.map((file) => [String(file.id), file.row_count]));
  const rows = result.merged.reduce((sum, id) => sum + rowsOf.get(id)!, 0);
  // Where the last writer wins, rows may go; where none can be lost, none may.
  const fits = dedupes(claim.settings) ? result.rowCount <= rows : result.rowCount === rows;
  if (result.merged.length > 0 && !fits) {
    throw new SedimentError(
      "merge_rows_differ",
      `The merge of ${result.merged.length} files wrote ${result.rowCount} rows of ${rows}`,
      { field: "row_count", expected: `${rows} rows` },
    );
  }
  if (result.merged.length > 0 && output.byteLength !== result.byteLength) {
    throw new SedimentError(
      "merge_rows_differ",
      `The merge wrote ${output.byteLength} bytes and told of ${result.byteLength}`,
    );
  }
  return result;
}

/** Whether an input that was left out lies between two that were merged. */
export function hasGap(inputs: InputFile[], { merged }: MergeResult): boolean {
  const kept = inputs.map(({ id }) => merged.includes(String(id)));
  return kept.slice(kept.indexOf(true), kept.lastIndexOf(true)).includes(false);
}
