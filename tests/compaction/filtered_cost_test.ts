/** What the planner expects of files of which rows are left out: `bench merge --filter` measures such. */
import { strict as assert } from "node:assert";
import { outputCost } from "../../shared/compaction/plan/merge_cost.ts";
import { OutputWork } from "../../shared/compaction/plan/merge_work.ts";
import { oversizeOf } from "../../shared/compaction/plan/oversized_files.ts";
import { file, settings } from "./plan_file.ts";

const MiB = 1024 * 1024;

/** An output of a merge: `groups` row groups of 8 MiB, 2.2 million values each, as the bench's table of 25 columns has them. */
function grown(groups: number, drop?: number[]) {
  return file({
    byte_length: groups * 8 * MiB,
    uncompressed_bytes: groups * 10.3 * MiB,
    row_count: groups * 88_800,
    row_group_count: groups,
    value_count: groups * 2_220_000,
    merge_facts: {
      sums: [{
        healthy: true,
        chunks: groups * 25,
        values: groups * 2_220_000,
        bytes: groups * 8 * MiB,
        plain_bytes: groups * 10.3 * MiB,
        largest_chunk: 2 * MiB,
      }],
    } as never,
    level: 2,
    drop,
  });
}

function workOf(one: ReturnType<typeof file>, some = {}) {
  const host = { gzip: true, brotli: true };
  const context = { settings: { ...settings, ...some }, host, keepsSchema: () => true };
  return new OutputWork(context, () => 25).add(one).work;
}

Deno.test("leaving rows out costs their row groups what gathering them takes, and the others a copy", () => {
  const copied = outputCost(workOf(grown(7)), false);
  const one = outputCost(workOf(grown(7, [5])), false);
  const all = outputCost(workOf(grown(7, [1, 2, 3, 4])), false);
  // measured: 64 ms to copy, 711 ms and 118 MB where each row group holds rows that are left out
  assert.ok(copied.cpuMs < 150, String(copied.cpuMs));
  assert.ok(all.cpuMs > 600 && all.cpuMs < 1000, String(all.cpuMs));
  assert.ok(all.memoryMb > 118, String(all.memoryMb));
  assert.ok(one.cpuMs > copied.cpuMs + 100 && one.cpuMs < all.cpuMs / 2, String(one.cpuMs));
});

Deno.test("the rows of an upload are in two row groups at most, so that a large file is written anew within a turn", () => {
  const { paths } = workOf(grown(32, [9]));
  assert.equal(paths.pages.chunks, 50);
  assert.equal(paths.copy.chunks, 30 * 25);
  assert.ok(outputCost(workOf(grown(32, [9])), true).cpuMs < 1000);
  assert.equal(oversizeOf(grown(4, [9]), workOf(grown(4, [9])), settings), undefined);
});

Deno.test("where rows are sorted leaving some out costs what sorting does, once", () => {
  const sort = { sort_keys: ["a"] };
  assert.deepEqual(
    outputCost(workOf(grown(4, [9]), sort), false),
    outputCost(workOf(grown(4), sort), false),
  );
});
