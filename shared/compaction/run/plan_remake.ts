/** The plan of an output that takes the place of a lost one, from the retired files that it had been made of. */
import type { Remake } from "../../catalog/run_results.ts";
import { hostLimits } from "../../compression/host_limits.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import { leafCounter } from "../plan/leaf_counter.ts";
import { OutputPacker, turnBudget } from "../plan/pack_outputs.ts";
import { defaultLimits, type PlannedOutput } from "../plan/plan.ts";
import type { Claim, InputFile } from "./ports.ts";

/**
 * All of the files in one output, as it was before: they had fitted into one, and a part of them would be other rows.
 *
 * @param streams whether the store takes outputs piece by piece
 */
export function planRemake(
  remake: Remake,
  { settings }: Pick<Claim, "settings">,
  streams: boolean,
): PlannedOutput<InputFile> {
  const { inputs } = remake;
  const schema = remake.schema as SchemaJson | null;
  const packer = new OutputPacker({
    settings,
    limits: defaultLimits,
    budget: turnBudget,
    host: hostLimits(),
    streams,
    leavesOf: leafCounter(schema === null ? {} : { [remake.schema_fingerprint]: schema }),
  });
  const work = packer.workOf(inputs);
  // what has its schema already is joined as it is
  const united = inputs.some(({ schema_fingerprint: own }) => own !== remake.schema_fingerprint);
  return {
    inputs,
    bytes: inputs.reduce((sum, file) => sum + file.byte_length, 0),
    expectedRows: remake.row_count,
    paths: work.paths,
    cost: packer.costOf(work),
    reason: `output ${remake.file} is lost`,
    ...(united && schema !== null && { schema }),
  };
}
