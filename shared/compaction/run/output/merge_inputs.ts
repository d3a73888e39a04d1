/** The merge of one planned output: its inputs read from the store, its rows counted. */
import { asSedimentError, type ErrorCode, SedimentError } from "../../../errors.ts";
import type { MergeResult } from "../../../parquet/merge/merge_plan.ts";
import type { RangeReader } from "../../../parquet/format/range_reader.ts";
import type { SchemaJson } from "../../../parquet/format/schema_json.ts";
import { dedupes } from "../../plan/data_file.ts";
import { failureClass } from "../failure_class.ts";
import { mergeOrderOf } from "../../plan/merge_order.ts";
import { inputOrigins } from "./input_origins.ts";
import { givenColumns, lakeColumns } from "./lake_columns.ts";
import { openReaders } from "./object_readers.ts";
import type { PlannedOutput } from "../../plan/plan.ts";
import type { Claim, CompactionPorts, InputFile } from "../ports.ts";
import { fewerToMerge, othersToMerge } from "./apart.ts";
import { openOutput, type RunOutput } from "./run_output.ts";

/** What a merge gave. The caller puts the output, or discards it. */
export interface Merged {
  result: MergeResult;
  output: RunOutput;
  /** Whether inputs were left for another merge, since all together were too much for memory. */
  cut: boolean;
}

type Ports = Pick<CompactionPorts, "store" | "merge">;

/**
 * Merges what is there: an input whose bytes are gone or changed is rejected like one that can't be read. Where all of
 * several are, it is rather the store that is not the one it should be, and a person should know. Where sound inputs
 * turn out to have no place beside the first ones (`apart`), and those are too few to be worth writing, they are merged
 * among themselves instead: what the catalog keeps of a file is less than its footer says. Where all are too much for
 * memory, or to be sorted at once, (`merge_too_large`) fewer are merged.
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
  const lost: MergeResult["rejected"] = [];
  let inputs = planned;
  let cut = false;
  while (true) {
    try {
      const merged = await mergeOnce(ports, claim, inputs, schema, key, signal);
      if (isSortedInParts(merged.result)) {
        await merged.output.discard();
        throw new SedimentError(
          "merge_too_large",
          `${merged.result.rowCount} rows of ${merged.result.merged.length} files are too many to be sorted at once`,
        );
      }
      const others = othersToMerge(inputs, merged.result, dedupes(claim.settings));
      if (others === undefined) {
        merged.result.rejected.push(...lost);
        return { ...merged, cut };
      }
      // what is wrong is wrong wherever it is merged
      lost.push(
        ...merged.result.rejected.filter(({ apart }) => !apart || apart === "memory"),
      );
      await merged.output.discard();
      inputs = others;
    } catch (thrown) {
      const error = asSedimentError(thrown);
      if (error.code === "merge_too_large" && inputs.length > 0) {
        const fewer = fewerToMerge(inputs);
        inputs = fewer.inputs;
        cut ||= fewer.apart === undefined;
        if (fewer.apart) lost.push({ id: String(fewer.apart.id), error, apart: "memory" });
        continue;
      }
      const input = inputs.find(({ id }) => String(id) === error.extra?.file);
      if (input === undefined || !lossCodes.includes(error.code)) throw error;
      lost.push({
        id: String(input.id),
        error: await lossOf(ports, error, input, planned, signal),
      });
      inputs = inputs.filter((other) => other !== input);
      if (inputs.length === 0 && planned.length > 1) {
        throw new SedimentError(
          "store_failed",
          `None of the ${planned.length} inputs is in the store: ${error.message}`,
          {
            expected: "the store that the uploads went to",
            extra: { part: "store_read", all_missed: true },
            cause: error,
          },
        );
      }
    }
  }
}

/** Whether rows of several inputs are in order only range by range, so that row groups overlap in the sort keys. */
function isSortedInParts({ sortedRanges = 1, merged }: MergeResult): boolean {
  return sortedRanges > 1 && merged.length > 1;
}

/** What reading an input may say of that input alone. */
const lossCodes: ErrorCode[] = ["object_missing", "object_changed", "misconfigured"];

/**
 * A key to the store that may not list objects is refused those that are not there, with 403: while it reads another
 * input, this one is gone.
 *
 * @throws the error where no other can be read either: then it is the key's
 */
async function lossOf(
  { store }: Ports,
  error: SedimentError,
  input: InputFile,
  planned: InputFile[],
  signal: AbortSignal,
): Promise<SedimentError> {
  if (error.code !== "misconfigured") return error;
  const others = planned.filter(({ object_key }) => object_key !== input.object_key).slice(0, 3);
  for (const { object_key, start_byte } of others) {
    const found = await store.getRange(object_key, start_byte, 1, { signal }).catch(() => null);
    if (found?.byteLength !== 1) continue;
    return new SedimentError("object_missing", error.message, { extra: error.extra, cause: error });
  }
  throw error;
}

async function mergeOnce(
  ports: Ports,
  claim: Claim,
  inputs: InputFile[],
  schema: SchemaJson | undefined,
  key: string,
  signal: AbortSignal,
): Promise<Omit<Merged, "cut">> {
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
  const origins = await Promise.all(
    inputs.map((file) => inputOrigins(file, readers.get(String(file.id))!, signal)),
  );
  const drop = new Set(inputs.flatMap((file) => file.drop ?? []));
  const unknown = inputs.find((file, i) => file.drop?.length && origins[i] === undefined);
  if (unknown !== undefined) {
    throw new SedimentError(
      "internal",
      `File ${unknown.id} does not say which rows are to be left out`,
    );
  }
  const result = await ports.merge(
    {
      inputs: inputs.map((file, i) => ({
        id: String(file.id),
        level: file.level,
        givenColumns: givenColumns(file),
        ...(origins[i] !== undefined && { origins: origins[i] }),
      })),
      ...(drop.size > 0 && { drop }),
      ...(settings.lake && { constants: lakeColumns(claim, settings.lake) }),
      target: {
        rowGroupBytes: settings.target_row_group_bytes,
        pageBytes: settings.target_page_bytes,
        codec: settings.codec,
        ...(inputs.some((file) => file.rewrite?.anew) && { copies: false }),
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
  // What is no input's fault sets none aside: the whole merge is tried again.
  const outage = result.rejected.find(({ error, apart }) =>
    !apart && failureClass(error) !== "data"
  );
  if (outage !== undefined) throw outage.error;
  const rowsOf = new Map(inputs.map((file) => [String(file.id), file.row_count]));
  const rows = result.merged.reduce((sum, id) => sum + rowsOf.get(id)!, 0) - deletedRows(result);
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

/** Rows that were left out because their upload is being deleted. */
export function deletedRows({ deletedRows }: MergeResult): number {
  return deletedRows?.values().reduce((sum, rows) => sum + rows, 0) ?? 0;
}

/** Whether an input that was left out lies between two that were merged. */
export function hasGap(inputs: InputFile[], { merged }: MergeResult): boolean {
  const kept = inputs.map(({ id }) => merged.includes(String(id)));
  return kept.slice(kept.indexOf(true), kept.lastIndexOf(true)).includes(false);
}
