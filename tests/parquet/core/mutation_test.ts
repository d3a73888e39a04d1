import { strict as assert } from "node:assert";
import { SedimentError } from "../../../shared/errors.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { fixtureBytes, fixtureNames, hasFixtures } from "../fixtures.ts";
import { checkOutput } from "./check_output.ts";
import { mergeBytes, type PathName, paths } from "./merge_bytes.ts";
import { mutant } from "./mutants.ts";

/** Mutants of each fixture and path; more with `FUZZ_RUNS`. */
const runs = Number(Deno.env.get("FUZZ_RUNS") ?? 8);
const firstSeed = Number(Deno.env.get("FUZZ_SEED") ?? 1);

/** What may be wrong with a file. */
const faults = [
  "not_parquet",
  "invalid_parquet",
  "unsupported_parquet",
  "page_too_large",
  "schema_incompatible",
];

for (const way of Object.keys(paths) as PathName[]) {
  Deno.test({
    name: `a broken file ${way} is merged or rejected, and its neighbours are always merged`,
    ignore: !hasFixtures,
    fn: async () => {
      let rejected = 0, taken = 0;
      for (const name of fixtureNames()) {
        const good = fixtureBytes(name);
        const { rowCount } = inspectParquetBytes(good);
        for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
          const place = `${name}, seed ${seed}`;
          const bad = mutant(good, seed);
          try {
            const { result, output } = await mergeBytes(
              [good, bad, good],
              rowCount * 3,
              { settings: paths[way] },
            );
            assert.ok(result.merged.includes("file0") && result.merged.includes("file2"), place);
            for (const { id, error } of result.rejected) {
              assert.equal(id, "file1", place);
              assert.ok(error instanceof SedimentError && faults.includes(error.code), place);
              assert.equal(error.extra?.file, "file1", place);
            }
            rejected += result.rejected.length;
            taken += result.merged.length - 2;
            const facts = inspectParquetBytes(output);
            assert.equal(facts.rowCount, result.rowCount, place);
            if (way !== "copied") checkOutput(output);
          } catch (error) {
            // a file that lies about its rows consistently is another table: the plan's count tells
            if (error instanceof SedimentError && error.code === "merge_rows_differ") continue;
            throw new Error(place, { cause: error });
          }
        }
      }
      assert.ok(rejected > 0 && taken > 0, `${rejected} rejected, ${taken} taken`);
    },
  });
}
