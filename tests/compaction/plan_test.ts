import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import type { PlanFile, PlanSettings } from "../../shared/compaction/plan/data_file.ts";
import type { SchemaJson } from "../../shared/parquet/format/schema_json.ts";
import { planCompaction } from "../../shared/compaction/plan/plan.ts";
import { file, now, settings } from "./plan_file.ts";

const MiB = 1024 * 1024;
const several = (count: number, some: Partial<PlanFile> = {}) =>
  Array.from({ length: count }, () => file(some));
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000).toISOString();
const plan = (
  files: PlanFile[],
  some: { forced?: boolean; settings?: Partial<PlanSettings> } = {},
) =>
  planCompaction({
    files,
    settings: { ...settings, ...some.settings },
    forced: some.forced ?? false,
    now,
  });
const ids = (files: PlanFile[]) => files.map(({ id }) => id);

Deno.test("enough small files become one output, in upload order", () => {
  const files = several(10);
  const { outputs, decision } = plan(files.toReversed());
  assert.equal(outputs.length, 1);
  assert.deepEqual(ids(outputs[0].inputs), ids(files));
  assert.equal(outputs[0].expectedRows, 1000);
  assert.match(decision, /^Merge 10 of 10 files .* into 1: .*min_inputs 4/);
});

Deno.test("fewer than min_inputs wait, and the decision says until when", () => {
  const { outputs, decision, nextDueAt } = plan(several(3));
  assert.deepEqual(outputs, []);
  assert.equal(nextDueAt?.toISOString(), "2026-11-22T12:59:00.000Z");
  assert.match(decision, /^Nothing to do with 3 files\. .*min_inputs 4.*2026-11-22T12:59/);
});

Deno.test("two files past max_age are merged below min_inputs", () => {
  const old = several(2, { uploaded_at: hoursAgo(2) });
  const { outputs, nextDueAt } = plan(old);
  assert.deepEqual(ids(outputs[0].inputs), ids(old));
  assert.equal(nextDueAt, null);
});

Deno.test("an aged fragment does not drag a large file into a rewrite", () => {
  const large = file({ byte_length: 10 * MiB, level: 3, uploaded_at: hoursAgo(9) });
  const old = several(2, { uploaded_at: hoursAgo(2) });
  const { outputs } = plan([large, ...old]);
  assert.deepEqual(ids(outputs[0].inputs), ids(old));
});

Deno.test("one file alone is never due", () => {
  const { outputs, nextDueAt, decision } = plan(several(1));
  assert.deepEqual([outputs.length, nextDueAt], [0, null]);
  assert.match(decision, /nothing to merge it with/);
});

Deno.test("by hand, two fresh files are enough", () => {
  assert.equal(plan(several(2), { forced: true }).outputs.length, 1);
  assert.equal(plan(several(1), { forced: true }).outputs.length, 0);
});

Deno.test("schemas never meet in an output", () => {
  const files = [...several(5), ...several(5, { schema_fingerprint: "s2" })];
  const { outputs } = plan(files);
  assert.equal(outputs.length, 2);
  for (const { inputs } of outputs) {
    assert.equal(new Set(inputs.map((input) => input.schema_fingerprint)).size, 1);
  }
});

Deno.test("quarantined files are left alone and told of", () => {
  const files = [...several(4), file({ state: "quarantined" })];
  const { outputs, decision } = plan(files);
  assert.equal(outputs[0].inputs.length, 4);
  assert.match(decision, /1 file in quarantine/);
});

Deno.test("full grown files stay as they are, also by hand", () => {
  const files = several(6, { byte_length: 30 * MiB, uncompressed_bytes: 60 * MiB });
  const { outputs, decision } = plan(files, { forced: true });
  assert.deepEqual(outputs, []);
  assert.match(decision, /6 files full grown/);
});

Deno.test("a large upload of tiny row groups is rewritten alone, our own output never is", () => {
  const crumbs = { byte_length: 30 * MiB, uncompressed_bytes: 60 * MiB, row_group_count: 600 };
  assert.equal(plan([file(crumbs)]).outputs[0].inputs.length, 1);
  assert.equal(plan([file({ ...crumbs, level: 1 })]).outputs.length, 0);
});

Deno.test("outputs are cut by bytes and not by rows", () => {
  const wide = several(20, { byte_length: 4 * MiB, row_count: 1 });
  const { outputs } = plan(wide);
  assert.ok(outputs.length >= 2);
  for (const output of outputs) assert.ok(output.bytes <= 1.25 * 32 * MiB, String(output.bytes));
  const narrow = several(20, { byte_length: 15_000, row_count: 100_000 });
  assert.equal(plan(narrow).outputs.length, 1);
});

Deno.test("an output takes no more inputs and uncompressed bytes than its limits", () => {
  const files = several(50);
  const cut = planCompaction({
    files,
    settings,
    forced: false,
    now,
    limits: { maxInputs: 20, maxUncompressedBytes: 300_000 },
  });
  assert.ok(cut.outputs.length >= 5);
  for (const { inputs } of cut.outputs) {
    assert.ok(inputs.length <= 20);
    assert.ok(inputs.reduce((sum, input) => sum + input.uncompressed_bytes, 0) <= 300_000);
  }
});

Deno.test("a tier waits for company and then takes what is about to rise into it", () => {
  const risen = several(3, { byte_length: 60_000, level: 1 });
  assert.equal(plan(risen).outputs.length, 0);
  const { outputs } = plan([...risen, ...several(4)]);
  assert.equal(outputs.length, 1, "four fragments rise to the tier of the three and go with them");
  assert.equal(outputs[0].inputs.length, 7);
});

Deno.test("each byte of a growing partition is rewritten O(log n) times", () => {
  let files: PlanFile[] = [];
  let written = 0;
  let uploaded = 0;
  for (let n = 0; n < 4000; n++) {
    files.push(file({ byte_length: 20_000 }));
    uploaded += 20_000;
    for (const output of plan(files).outputs) {
      const gone = new Set(output.inputs);
      const first = output.inputs[0];
      files = files.filter((one) => !gone.has(one));
      files.push(file({
        byte_length: output.bytes,
        level: 1 + Math.max(...output.inputs.map(({ level }) => level)),
        seq_min: first.seq_min,
        uncompressed_bytes: output.bytes * 2,
      }));
      written += output.bytes;
    }
  }
  assert.ok(written / uploaded < 8, `each byte was rewritten ${written / uploaded} times`);
  assert.ok(files.length < 30, `${files.length} files are left`);
});

const anyFile = fc.record({
  byte_length: fc.integer({ min: 100, max: 60 * MiB }),
  level: fc.integer({ min: 0, max: 4 }),
  row_group_count: fc.integer({ min: 0, max: 900 }),
  schema_fingerprint: fc.constantFrom("s1", "s2", "s3"),
  state: fc.constantFrom("active", "active", "active", "quarantined"),
  age: fc.integer({ min: 0, max: 20_000 }),
}).map(({ age, ...some }) =>
  file({
    ...some,
    uncompressed_bytes: some.byte_length * 2,
    uploaded_at: new Date(now.getTime() - age * 1000).toISOString(),
  })
);

Deno.test("whatever the files, a plan uses each at most once, never mixes schemas and keeps the order", () => {
  fc.assert(
    fc.property(
      fc.array(anyFile, { maxLength: 60 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 12 }),
      (files, forced, min_inputs) => {
        const { outputs, decision, nextDueAt } = plan(files, { forced, settings: { min_inputs } });
        const used = outputs.flatMap(({ inputs }) => inputs);
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.every(({ state }) => state === "active"));
        for (const { inputs, expectedRows } of outputs) {
          assert.equal(new Set(inputs.map((input) => input.schema_fingerprint)).size, 1);
          assert.deepEqual(inputs, inputs.toSorted((a, b) => a.seq_min - b.seq_min));
          assert.equal(expectedRows, inputs.reduce((sum, input) => sum + input.row_count, 0));
          assert.ok(
            inputs.length > 1 || inputs[0].row_group_count > 1,
            "a lone healthy file was rewritten",
          );
        }
        assert.ok(decision.length > 0);
        assert.ok(nextDueAt === null || nextDueAt > now, "a wait that is over");
      },
    ),
    { numRuns: 300, seed: 20261122 },
  );
});

const deduping = { settings: { dedupe_keys: ["key"] } };

Deno.test("a table that dedupes merges across no file in quarantine and no other schema", () => {
  const before = several(4);
  const bad = file({ state: "quarantined" });
  const middle = several(4);
  const other = file({ schema_fingerprint: "s2" });
  const after = several(4);
  const { outputs } = plan([...before, bad, ...middle, other, ...after].toReversed(), deduping);
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [before, middle, after].map(ids));
});

Deno.test("a table that dedupes does not reach over a full grown file", () => {
  const files = [...several(2), file({ byte_length: 40 * MiB, level: 2 }), ...several(2)];
  assert.deepEqual(plan(files, deduping).outputs, []);
  assert.equal(plan(files).outputs[0].inputs.length, 4);
});

Deno.test("small files of a table that dedupes take a larger one between them along when none has a neighbour", () => {
  const files = [1, 2, 3, 4].flatMap(() => [file(), file({ byte_length: 3 * MiB, level: 1 })]);
  const { outputs } = plan(files.slice(0, -1), deduping);
  assert.deepEqual(outputs.flatMap(({ inputs }) => ids(inputs)), ids(files.slice(0, -1)));
});

Deno.test("inputs of a table that dedupes have nothing visible between them, whatever lies there", () => {
  const anyFile = fc.record({
    byte_length: fc.constantFrom(15_000, 600_000, 3 * MiB, 12 * MiB, 40 * MiB),
    state: fc.constantFrom("active", "active", "active", "quarantined"),
    schema_fingerprint: fc.constantFrom("s1", "s1", "s2"),
    level: fc.constantFrom(0, 1),
    uploaded_at: fc.constantFrom(hoursAgo(0), hoursAgo(3)),
  });
  fc.assert(fc.property(fc.array(anyFile, { maxLength: 40 }), fc.boolean(), (some, forced) => {
    const files = some.map((fields) => file(fields));
    for (const { inputs } of plan(files, { ...deduping, forced }).outputs) {
      const first = files.indexOf(inputs[0]);
      assert.deepEqual(ids(inputs), ids(files.slice(first, first + inputs.length)));
      assert.equal(new Set(inputs.map((input) => input.schema_fingerprint)).size, 1);
    }
  }));
});

Deno.test("outputs from before a table deduped, which hold uploads from both sides of a file, meet nothing without it", () => {
  const [first, second, ...after] = several(5);
  const around = { ...first, seq_max: second.seq_min + 1, byte_length: 3 * MiB, level: 1 };
  const { outputs, decision } = plan([around, second, ...after], deduping);
  assert.deepEqual(outputs, []);
  assert.match(decision, /5 files that fit in no output/);
  const forced = plan([around, second, ...after], { ...deduping, forced: true });
  assert.deepEqual(ids(forced.outputs[0].inputs), ids([around, second, ...after]));
});

Deno.test("a tiny file that declares more nulls than a turn can write is left alone, and the rest is merged", () => {
  const bomb = file({ byte_length: 300, uncompressed_bytes: 200, row_count: 2 ** 30 });
  const files = [...several(4), bomb, ...several(4)];
  const { outputs, decision, leftAlone } = plan(files);
  assert.deepEqual(ids(outputs[0].inputs), ids(files.filter((one) => one !== bomb)));
  assert.equal(leftAlone, 1);
  assert.match(
    decision,
    new RegExp(`1 file of more work than one turn can do \\(file ${bomb.id}: 1073741824 rows`),
  );
});

Deno.test("in a table that dedupes files at the sides of one that is left alone never meet", () => {
  const before = several(4);
  const bomb = file({ byte_length: 300, uncompressed_bytes: 200, row_count: 2 ** 30 });
  const after = several(4);
  const { outputs } = plan([...before, bomb, ...after], { settings: { dedupe_keys: ["id"] } });
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [ids(before), ids(after)]);
});

Deno.test("a large fragmented file of a table that dedupes stays as it is: its rows can't be looked at together", () => {
  const large = file({
    byte_length: 40 * MiB,
    row_count: 1_000_000,
    row_group_count: 400,
    uncompressed_bytes: 60 * MiB,
  });
  assert.equal(plan([large]).outputs.length, 1);
  assert.deepEqual(plan([large], { settings: { dedupe_keys: ["id"] } }).outputs, []);
});

Deno.test("outputs that sort or dedupe are cut at the rows that are sorted at once, others are not", () => {
  const files = several(8, { row_count: 150_000 });
  const rowsOf = (some: Partial<PlanSettings>) =>
    plan(files, { settings: some, forced: true }).outputs.map(({ expectedRows }) => expectedRows);
  assert.deepEqual(rowsOf({}), [1_200_000]);
  assert.deepEqual(rowsOf({ sort_keys: ["id"] }), [450_000, 450_000, 300_000]);
  assert.deepEqual(rowsOf({ dedupe_keys: ["id"] }), [450_000, 450_000, 300_000]);
});

Deno.test("a row group too large for memory keeps its file out of outputs, a smaller one out of sorted ones", () => {
  const huge = file({ byte_length: 12 * MiB, row_count: 90_000, uncompressed_bytes: 60 * MiB });
  const files = [huge, ...several(4)];
  const forced = (with_: Partial<PlanSettings>) =>
    plan(files, { forced: true, settings: with_ }).outputs.map(({ inputs }) => ids(inputs));
  assert.deepEqual(forced({}), [ids(files)]);
  assert.deepEqual(forced({ sort_keys: ["id"] }), [ids(files.slice(1))]);
  huge.uncompressed_bytes = 80 * MiB;
  assert.deepEqual(forced({}), [ids(files.slice(1))]);
});

Deno.test("outputs are cut so that none is expected to cost more than the budget", () => {
  const budget = { cpuMs: 150, memoryMb: 110 };
  const files = several(2_000, { byte_length: 30_000, uncompressed_bytes: 60_000 });
  const { outputs, decision } = planCompaction({ files, settings, forced: false, now, budget });
  assert.deepEqual(outputs.flatMap(({ inputs }) => ids(inputs)), ids(files));
  for (const { cost } of outputs) {
    assert.ok(cost.cpuMs <= budget.cpuMs && cost.memoryMb <= budget.memoryMb, JSON.stringify(cost));
  }
  assert.equal(planCompaction({ files, settings, forced: false, now }).outputs.length, 3);
  assert.match(decision, /about \d+ ms of CPU/);
});

Deno.test("small files of thousands of columns are merged, since columns cost less the more there are", () => {
  const wide = (columns: number) => {
    const children = Array.from({ length: columns }, (_, n) => ({ name: `c${n}`, type: "INT32" }));
    const files = several(4, {
      byte_length: 300 * columns,
      row_count: 50,
      uncompressed_bytes: 400 * columns,
      value_count: 50 * columns,
    });
    const schemas = { s1: { name: "root", children } as SchemaJson };
    return planCompaction({ files, settings, schemas, forced: false, now }).outputs;
  };
  assert.deepEqual([1050, 2000].map((columns) => wide(columns).length), [1, 1]);
  assert.deepEqual(wide(20_000), [], "what would take more than a turn is left alone still");
});

Deno.test("a merge costs more the more files, values and bytes it has, and sorting more than not", () => {
  const costs = (some: Partial<PlanFile>, with_: Partial<PlanSettings> = {}) =>
    plan(several(10, some), { settings: with_ }).outputs[0].cost;
  const base = costs({});
  for (
    const more of [
      plan(several(20)).outputs[0].cost,
      costs({ row_count: 100_000 }),
      costs({ byte_length: 500_000, uncompressed_bytes: 900_000 }),
      costs({}, { sort_keys: ["a"] }),
      costs({}, { codec: "zstd" }),
    ]
  ) {
    assert.ok(
      more.cpuMs > base.cpuMs && more.memoryMb >= base.memoryMb,
      JSON.stringify([base, more]),
    );
  }
});

Deno.test("a marked file is written anew by itself, whatever its size, in the schema that the mark says", () => {
  const schema = { name: "root", children: [] };
  const grown = file({
    byte_length: 30 * MiB,
    uncompressed_bytes: 40 * MiB,
    row_group_count: 4,
    level: 2,
    rewrite: { reason: "another's field ids", schema },
  });
  const small = file({ rewrite: { reason: "for a test", schema: null } });
  const others = several(5);
  const { outputs, decision } = plan([grown, small, ...others]);
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [[grown.id], [small.id], ids(others)]);
  assert.deepEqual(outputs.map((output) => output.schema), [schema, undefined, undefined]);
  assert.match(decision, /marked to be written anew \(another's field ids\)/);
});

Deno.test("where the last writer wins nothing is merged over a marked file", () => {
  const before = several(2), marked = file({ rewrite: { reason: "x", schema: null } });
  const after = several(2);
  const { outputs } = plan([...before, marked, ...after], {
    forced: true,
    settings: { dedupe_keys: ["id"] },
  });
  const merged = outputs.map(({ inputs }) => ids(inputs));
  assert.deepEqual(merged, [[marked.id], ids(before), ids(after)]);
});

Deno.test("of a file that is to be written anew nothing is copied as it is", () => {
  const healthy = { byte_length: 30 * MiB, uncompressed_bytes: 40 * MiB, level: 2 };
  const rewrite = { reason: "x", schema: null };
  const paths = (anew: boolean) =>
    plan([file({ ...healthy, rewrite: { ...rewrite, anew } })]).outputs[0].paths;
  assert.equal(paths(false).copy.bytes, 30 * MiB);
  assert.deepEqual([paths(true).copy.bytes, paths(true).pages.bytes], [0, 30 * MiB]);
});

Deno.test("a marked file in quarantine is left alone", () => {
  const bad = file({ state: "quarantined", rewrite: { reason: "x", schema: null } });
  assert.deepEqual(plan([bad]).outputs, []);
});

Deno.test("a file with rows of a deleted upload is written anew by itself, whatever its size", () => {
  const grown = file({ byte_length: 30 * MiB, uncompressed_bytes: 40 * MiB, level: 2, drop: [3] });
  const others = several(5);
  const { outputs, decision } = plan([grown, ...others]);
  assert.deepEqual(outputs.map(({ inputs }) => ids(inputs)), [[grown.id], ids(others)]);
  assert.match(decision, /uploads of which it may hold rows are deleted/);
});

Deno.test("one that is too large for a turn is looked at again within the hour", () => {
  const huge = file({
    byte_length: 900 * MiB,
    uncompressed_bytes: 4000 * MiB,
    row_count: 900_000_000,
    value_count: 900_000_000,
    level: 2,
    drop: [3],
  });
  const { outputs, nextDueAt } = plan([huge], { settings: { dedupe_keys: ["id"] } });
  assert.deepEqual(outputs, []);
  assert.equal(nextDueAt?.getTime(), now.getTime() + 3_600_000);
});
