import { strict as assert } from "node:assert";
import { fuzz } from "./fuzz/fuzz_run.ts";

Deno.test("mutants are refused by name or merged to the rows that DuckDB reads", async () => {
  // another seed each day, printed so that a failure can be made again
  const seed = Math.floor(Date.now() / 86_400_000);
  const report = await fuzz({ seed, count: 400 });
  assert.equal(report.mutants, 400);
  assert.ok(report.outcomes.equal > 0 && report.outcomes["refused at merge"] > 0);
  assert.deepEqual(
    report.wrong.map(({ index, file, what, verdict }) => ({ index, file, what, verdict })),
    [],
    `deno task fuzz --seed ${seed} --only INDEX shows one`,
  );
});
