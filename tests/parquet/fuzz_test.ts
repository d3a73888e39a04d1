import { strict as assert } from "node:assert";
import { fuzzAlone } from "./fuzz/fuzz_alone.ts";

Deno.test("mutants are refused by name or merged to the rows that DuckDB reads", async () => {
  // One seed, so that a commit that passed passes again; `deno task fuzz --seed N` looks elsewhere.
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? 12);
  const report = await fuzzAlone(seed, 400);
  assert.equal(report.mutants, 400);
  assert.ok(report.outcomes.equal > 0 && report.outcomes.refused > 0);
  assert.deepEqual(report.wrong, [], `deno task fuzz --seed ${seed} --only INDEX shows one`);
});
