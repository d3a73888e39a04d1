import { strict as assert } from "node:assert";
import { fuzz } from "./fuzz/fuzz_run.ts";

Deno.test("mutants are refused by name or merged to the rows that DuckDB reads", async () => {
  // One seed, so that a commit that passed passes again; `deno task fuzz --seed N` looks elsewhere.
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? 12);
  const report = await fuzz({ seed, count: 400 });
  assert.equal(report.mutants, 400);
  assert.ok(report.outcomes.equal > 0 && report.outcomes.refused > 0);
  assert.deepEqual(
    report.wrong.map(({ index, file, what, verdict }) => ({ index, file, what, verdict })),
    [],
    `deno task fuzz --seed ${seed} --only INDEX shows one`,
  );
});
