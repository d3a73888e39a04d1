/** How a plan says each column chunk will be taken, what that costs, and what no merge can take. */
import { strict as assert } from "node:assert";
import { inputFile } from "../../shared/catalog/run_results.ts";
import type { HostLimits } from "../../shared/compression/host_limits.ts";
import { assumeHostLimits } from "../support/host_limits.ts";
import { costCoefficients } from "../../shared/compaction/plan/cost_coefficients.ts";
import { costFactors } from "../../shared/compaction/plan/cost_factors.ts";
import type { PlanFile, PlanSettings } from "../../shared/compaction/plan/data_file.ts";
import { OutputWork } from "../../shared/compaction/plan/merge_work.ts";
import { planCompaction, type PlanRequest } from "../../shared/compaction/plan/plan.ts";
import { uniteSchemas } from "../../shared/compaction/plan/unite_schemas.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import type { ChunkSums, MergeFacts } from "../../shared/parquet/inspect/merge_facts.ts";
import { normalizer } from "../../shared/parquet/merge/decode/normalize.ts";
import type { SchemaJson } from "../../shared/parquet/format/schema_json.ts";
import { mergeBytes } from "../parquet/core/merge_bytes.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import { file, now, settings } from "./plan_file.ts";

const MiB = 1024 * 1024;

type Some = Partial<Omit<PlanRequest<PlanFile>, "settings">> & { settings?: Partial<PlanSettings> };

const plan = (files: PlanFile[], some: Some = {}) =>
  planCompaction({
    files,
    forced: true,
    now,
    ...some,
    settings: { ...settings, ...some.settings },
  });

const several = (count: number, some: Partial<PlanFile> = {}) =>
  Array.from({ length: count }, () => file(some));

/** A file of which everything is told. */
function told(sums: Partial<ChunkSums>[], some: Partial<PlanFile & MergeFacts> = {}): PlanFile {
  const { largest_group = MiB, page = 0, pages = 0, ...rest } = some;
  const all = sums.map((one) => ({
    healthy: false,
    chunks: 32,
    values: 3200,
    bytes: 15_000,
    plain_bytes: 30_000,
    largest_chunk: 1_000,
    ...one,
  }));
  const sum = (name: "bytes" | "plain_bytes" | "values") =>
    all.reduce((total, one) => total + one[name], 0);
  return file({
    byte_length: sum("bytes"),
    uncompressed_bytes: sum("plain_bytes"),
    value_count: sum("values"),
    merge_facts: { sums: all, largest_group, page, pages },
    ...rest,
  });
}

const healthy = { healthy: true, bytes: 5 * MiB, plain_bytes: 8 * MiB, chunks: 10 };
const ours = (some: Partial<PlanFile & MergeFacts> = {}) => told([healthy], { level: 1, ...some });
const oldHost: HostLimits = { gzip: false, brotli: false };
const chunks = ({ outputs }: ReturnType<typeof plan>) =>
  Object.fromEntries(
    Object.entries(outputs[0].paths).filter(([, one]) => one.chunks > 0)
      .map(([path, one]) => [path, one.chunks]),
  );

Deno.test("each kind of column chunk takes its path, and the decision counts them", () => {
  const files = [ours(), told([healthy]), told([{ chunks: 7 }]), told([{ codec: "brotli" }])];
  const made = plan(files, { host: oldHost });
  assert.deepEqual(chunks(made), { copy: 10, check: 10, pages: 7, decode: 32 });
  assert.match(
    made.decision,
    /Of 59 column chunks 10 are copied as they are, 10 are copied once each page was looked at, 7 are merged page by page, 32 are decoded and encoded again first/,
  );
  assert.match(plan(several(4)).decision, /All 128 column chunks are merged page by page\./);
});

Deno.test("row groups and columns of one file take paths of their own", () => {
  const mixed = told([healthy, { chunks: 2 }, { codec: "brotli", chunks: 1 }], { level: 1 });
  assert.deepEqual(chunks(plan([mixed, ours()], { host: oldHost })), {
    copy: 20,
    pages: 2,
    decode: 1,
  });
});

Deno.test("brotli and bit-packed levels are merged where they could be copied: not all readers take them", () => {
  for (const kind of [{ codec: "brotli" }, { bit_packed: true }] as const) {
    const files = [told([{ ...healthy, ...kind }]), told([healthy])];
    assert.deepEqual(chunks(plan(files)), { check: 10, pages: 10 });
  }
});

Deno.test("brotli is decoded only where the host can't unpack it within a bound", () => {
  const files = [told([{ codec: "brotli" }]), told([{ codec: "brotli" }])];
  assert.deepEqual(chunks(plan(files)), { pages: 64 });
  const [here, there] = [plan(files), plan(files, { host: oldHost })].map((one) =>
    one.outputs[0].cost
  );
  assert.ok(there.cpuMs > here.cpuMs + 100 && there.memoryMb > here.memoryMb + 20);
});

Deno.test("sorted rows are never copied, nor row groups that have to become another schema", () => {
  assert.deepEqual(chunks(plan([ours(), ours()], { settings: { sort_keys: ["a"] } })), {
    pages: 20,
  });
  const leaf = (name: string, type = "INT32"): SchemaJson => ({
    name,
    type,
    repetition: "optional",
  });
  const schemas = {
    all: { name: "schema", children: [leaf("a"), leaf("b")] },
    part: { name: "schema", children: [leaf("a")] },
  };
  const files = [
    ours({ schema_fingerprint: "all" }),
    ours({ schema_fingerprint: "part" }),
    told([{ chunks: 3 }], { schema_fingerprint: "part" }),
  ];
  assert.deepEqual(chunks(plan(files, { schemas, unite: uniteSchemas })), { copy: 10, pages: 13 });
  assert.deepEqual(chunks(plan(files.slice(1), { schemas, unite: uniteSchemas })), {
    copy: 10,
    pages: 3,
  });
});

Deno.test("the values of lists are paid for, and where nobody counted them each row is a value of each leaf", () => {
  const lists = several(4, { row_count: 1_000, value_count: 40 * 32_000 });
  const flat = several(4, { row_count: 1_000, value_count: 32_000 });
  const unknown = several(4, { row_count: 1_000, value_count: null, merge_facts: null });
  const [a, b, c] = [lists, flat, unknown].map((files) => plan(files).outputs[0]);
  assert.ok(a.cost.cpuMs > b.cost.cpuMs && a.cost.memoryMb > b.cost.memoryMb);
  assert.deepEqual([a.paths.pages.values, c.paths.pages.values], [4 * 40 * 32_000, 4 * 32_000]);
  assert.deepEqual(c.cost, b.cost);
});

Deno.test("of a file that came without facts the row groups' mean size says whether they are copied", () => {
  const unknown = { byte_length: 9 * MiB, uncompressed_bytes: 18 * MiB, level: 1 };
  assert.deepEqual(chunks(plan(several(2, { ...unknown, row_group_count: 2 }))), { copy: 128 });
  assert.deepEqual(chunks(plan(several(2, { ...unknown, row_group_count: 9 }))), { pages: 576 });
});

Deno.test("an output that is streamed needs less memory than one that is held", () => {
  const files = several(12, { byte_length: 3 * MiB, uncompressed_bytes: 4 * MiB });
  const [held, streamed] = [false, true].map((streams) =>
    plan(files, { streams, settings: { target_file_bytes: 64 * MiB } }).outputs[0].cost
  );
  assert.ok(streamed.memoryMb < held.memoryMb - 5);
  assert.equal(streamed.cpuMs, held.cpuMs);
});

Deno.test("outputs are cut so that what must be decoded fits into the budget as well", () => {
  const files = Array.from({ length: 60 }, () => told([{ codec: "brotli" }]));
  assert.equal(plan(files).outputs.length, 1);
  const { outputs } = plan(files, { host: oldHost });
  assert.ok(outputs.length > 2);
  for (const { cost } of outputs) assert.ok(cost.cpuMs <= 1_000, String(cost.cpuMs));
});

Deno.test("a page too large for memory leaves its file alone, and the decision says why and what helps", () => {
  const giant = told([{ ...healthy, bytes: 15 * MiB, plain_bytes: 60 * MiB }], { page: 60 * MiB });
  const { outputs, decision } = plan([giant, ...several(4)]);
  assert.equal(outputs[0].inputs.length, 4);
  assert.match(
    decision,
    new RegExp(
      `1 file with pages too large to be taken apart in memory, readable as they are ` +
        `\\(file ${giant.id}: 60.0 MiB at once; writers that cut pages at 1 MiB avoid it\\)`,
    ),
  );
});

Deno.test("a row group of any size is merged when its pages are known to be small", () => {
  const group = { ...healthy, bytes: 60 * MiB, plain_bytes: 90 * MiB };
  const facts = { largest_group: 90 * MiB, page: 2 * MiB, pages: 20 * MiB };
  const target = { settings: { target_file_bytes: 256 * MiB } };
  assert.equal(plan([told([group], facts), ...several(2)], target).outputs[0].inputs.length, 3);
  // nobody knows of its pages
  const unknown = file({ byte_length: 60 * MiB, uncompressed_bytes: 90 * MiB });
  const { outputs, decision } = plan([unknown, ...several(2)], target);
  assert.equal(outputs[0].inputs.length, 2);
  assert.match(decision, /1 file with row groups too large to be taken apart in memory/);
});

Deno.test("what can't be decoded at once is left alone where it would have to be", () => {
  const large = told([{
    codec: "brotli",
    bytes: 9 * MiB,
    plain_bytes: 34 * MiB,
    largest_chunk: 33 * MiB,
  }]);
  const files = [large, ...several(4)];
  assert.equal(plan(files).outputs[0].inputs.length, 5);
  const { outputs, decision } = plan(files, { host: oldHost });
  assert.equal(outputs[0].inputs.length, 4);
  assert.match(decision, /1 file too large for what their pages need: to be decoded and encoded/);
});

Deno.test("every factor of a cost has its coefficient, and every coefficient its factor", () => {
  const { work } = new OutputWork(
    { settings, host: oldHost, keepsSchema: () => true },
    () => 1,
  );
  const { cpu, memory } = costFactors(work);
  assert.deepEqual(
    Object.keys({ ...cpu, ...memory }).sort(),
    Object.keys(costCoefficients).sort(),
  );
  assert.ok(Object.values(costCoefficients).every((one: number) => one >= 0));
});

Deno.test("files take the paths that were planned for them, and the catalog takes their facts", async () => {
  const files = await Promise.all(["snappy", "zstd", "brotli"].map((codec) =>
    writeWithDuckDb(
      "select i, i::varchar as s from range(500) t(i)",
      `format parquet, compression ${codec}`,
    )
  ));
  const { merge_facts } = inputFile.shape;
  const planned = files.map((bytes, i) => {
    const facts = inspectParquetBytes(bytes);
    assert.deepEqual(merge_facts.parse(facts.mergeFacts), facts.mergeFacts);
    const one = file({ value_count: facts.valueCount, merge_facts: facts.mergeFacts });
    const { paths } = plan([one, file()], { host: oldHost }).outputs[0];
    return paths.decode.chunks > 0 ? [`file${i}`] : [];
  });
  const decoded: string[] = [];
  using _host = assumeHostLimits(oldHost);
  const normalize = normalizer();
  await mergeBytes(files, 1500, {
    normalize: (id, reader) => (decoded.push(id), normalize(id, reader)),
  });
  assert.deepEqual(decoded, planned.flat());
  assert.deepEqual(decoded, ["file2"]);
});

Deno.test("files of many small row groups are merged few at a time, for what their footers take", () => {
  const inputs = (chunks: number) => {
    const { outputs } = plan(Array.from({ length: 12 }, () => told([{ chunks }])));
    return Math.max(...outputs.map(({ inputs }) => inputs.length));
  };
  assert.equal(inputs(32), 12);
  // read, the footer of one takes 45 MB
  assert.equal(inputs(30_000), 2);
  assert.equal(plan(several(4, told([{ chunks: 90_000 }]))).outputs.length, 0);
});

Deno.test("what another codec packed well is cut by what it will be in the output's", () => {
  const large = { codec: "gzip", bytes: 3 * MiB, plain_bytes: 7 * MiB } as const;
  const inputs = (codec: string, one: Partial<ChunkSums>) =>
    plan(Array.from({ length: 8 }, () => told([one])), {
      settings: { codec, target_file_bytes: 16 * MiB },
      host: { gzip: true, brotli: true },
    }).outputs[0].inputs.length;
  assert.equal(inputs("zstd", large), 4);
  // of 3 MiB in gzip come 6 in Snappy, and an output may have 24 with its footer
  assert.equal(inputs("snappy", large), 3);
  // never more than it was before compression
  assert.equal(inputs("snappy", { ...large, plain_bytes: 4 * MiB }), 4);
});
