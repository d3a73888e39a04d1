/**
 * One output of a turn in a process of its own: inputs fetched from a store, the output held and put. Prints its cost as
 * JSON. Argument: a {@link TurnJob} as JSON, in a file.
 */
import { mergeInputs } from "../../../shared/compaction/run/output/merge_inputs.ts";
import type { Claim, CompactionPorts, InputFile } from "../../../shared/compaction/run/ports.ts";
import { merge } from "../../../shared/parquet/merge/merge.ts";
import { createSupabaseStore } from "../../../shared/storage/supabase_store.ts";
import { measured } from "./measure.ts";
import type { TurnJob } from "./turn_cost.ts";

const { url, files, plan }: TurnJob = JSON.parse(Deno.readTextFileSync(Deno.args[0]));
const store = createSupabaseStore({ url, secretKey: "sb_secret_bench", bucket: "sediment" });
const { target, order, schema } = plan;
const keys = (paths: readonly (readonly string[])[] = []) => paths.map((path) => path.join());
const settings = {
  target_row_group_bytes: target.rowGroupBytes,
  target_page_bytes: target.pageBytes,
  codec: target.codec,
  sort_keys: keys(order?.sort.map(({ path }) => path)),
  dedupe_keys: keys(order?.dedupe),
};
const inputs = files.map(({ key, size, rows, level }, i) => ({
  id: i + 1,
  object_key: key,
  start_byte: 0,
  byte_length: size,
  row_count: rows,
  level,
}));
const { cost } = await measured(async () => {
  const { output } = await mergeInputs(
    { store, merge } as Pick<CompactionPorts, "store" | "merge">,
    { settings } as Claim,
    { inputs: inputs as InputFile[], schema },
    "battle_compacted/bench/t/0/output.parquet",
    new AbortController().signal,
  );
  await output.put();
});
console.log(JSON.stringify(cost));
