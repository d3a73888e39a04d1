import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import type { MergePlan, MergeResult } from "../../shared/parquet/merge/merge_plan.ts";
import { bytesReader } from "../../shared/parquet/format/range_reader.ts";
import { footerOfBytes } from "../../shared/parquet/format/footer.ts";
import { RowOrigins } from "../../shared/parquet/write/row_origins.ts";
import { MemorySink } from "./memory_sink.ts";
import { openDuckDb } from "./duckdb_rows.ts";
import { writeWithDuckDb } from "./sample_files.ts";

const target = { rowGroupBytes: 4 << 20, pageBytes: 1 << 20, codec: "snappy" as const };

interface Input {
  bytes: Uint8Array;
  level: number;
  origins?: RowOrigins;
  rows: number;
}

interface Output extends Input {
  result: MergeResult;
}

/** A file of one origin, whose rows say it: `origin` and `n`, and a text that no other origin has. */
async function upload(origin: number, rows: number): Promise<Input> {
  const bytes = await writeWithDuckDb(
    `select ${origin}::int as origin, i::int as n, (i * 7919 % 1000)::int as k, 'of ' || ${origin} as told
      from range(${rows}) t(i)`,
  );
  return { bytes, level: 0, origins: RowOrigins.of(origin, rows), rows };
}

async function merged(inputs: Input[], some: Partial<MergePlan> = {}): Promise<Output> {
  const sink = new MemorySink();
  const result = await merge(
    {
      inputs: inputs.map(({ level, origins }, i) => ({ id: `f${i}`, level, origins })),
      target,
      expectedRows: inputs.reduce((sum, { rows }) => sum + rows, 0),
      ...some,
    },
    new Map(inputs.map(({ bytes }, i) => [`f${i}`, bytesReader(bytes)])),
    sink,
  );
  const bytes = sink.bytes();
  const { origins } = result;
  return {
    bytes,
    result,
    level: 1,
    rows: result.rowCount,
    origins: origins && RowOrigins.decode(
      bytes.subarray(origins.start, origins.start + origins.length),
    ),
  };
}

/** Which origin each row has, as the rows themselves say. */
async function told(bytes: Uint8Array): Promise<RowOrigins> {
  const all = new RowOrigins();
  const path = await Deno.makeTempFile({ suffix: ".parquet" });
  const { connection, close } = await openDuckDb();
  try {
    await Deno.writeFile(path, bytes);
    const sql =
      `select origin from read_parquet('${path}', file_row_number = true) order by file_row_number`;
    for (const [origin] of (await connection.runAndReadAll(sql)).getRows()) {
      all.add(Number(origin), 1);
    }
  } finally {
    close();
    await Deno.remove(path);
  }
  return all;
}

const runs = (origins: RowOrigins | undefined) => origins && [...origins.runs()];

const holdsText = (bytes: Uint8Array, text: string) =>
  new TextDecoder("latin1").decode(bytes).includes(text);

async function isRight(output: Output) {
  assert.ok(output.origins !== undefined);
  assert.deepEqual(runs(output.origins), runs(await told(output.bytes)));
}

Deno.test("origins are the same after they were written and read, however far apart", () => {
  const origins = new RowOrigins();
  for (const [origin, rows] of [[5, 1], [4, 3], [2 ** 40, 1], [1, 2 ** 33], [3, 1], [3, 1]]) {
    origins.add(origin, rows);
  }
  assert.deepEqual(runs(RowOrigins.decode(origins.encode())), [
    [5, 1],
    [4, 3],
    [2 ** 40, 1],
    [1, 2 ** 33],
    [3, 2],
  ]);
});

Deno.test("a changed bit of what says the origins is noticed", () => {
  const bytes = RowOrigins.of(7, 300).encode();
  for (let i = 0; i < 8 * bytes.length; i++) {
    const changed = bytes.slice();
    changed[i >> 3] ^= 1 << (i & 7);
    assert.throws(
      () => RowOrigins.decode(changed),
      (error) => error instanceof SedimentError && error.code === "object_changed",
    );
  }
  assert.throws(() => RowOrigins.decode(bytes.subarray(0, 3)), /others than were written/);
});

Deno.test("two bytes a row are enough where each row has another origin than the last", () => {
  const origins = new RowOrigins();
  for (let i = 0; i < 10_000; i++) origins.add(1 + i * 7919 % 1000, 1);
  assert.ok(origins.encode().length < 20_010, `${origins.encode().length}`);
});

Deno.test("a merge tells where its rows came from, also of what was merged before", async () => {
  const first = await merged([await upload(3, 20), await upload(4, 30)]);
  await isRight(first);
  const second = await merged([await upload(1, 10), first, await upload(9, 5)]);
  await isRight(second);
  assert.deepEqual(runs(second.origins), [[1, 10], [3, 20], [4, 30], [9, 5]]);
});

Deno.test("a merge that sorts tells it of each row", async () => {
  const order = { sort: [{ path: ["k"] }] };
  const inputs = [await upload(3, 400), await upload(4, 500), await upload(5, 300)];
  const first = await merged(inputs, { order });
  await isRight(first);
  assert.ok(first.origins!.runCount > 100);
  const second = await merged([first, await upload(8, 200)], { order });
  await isRight(second);
});

Deno.test("a merge that keeps the last of a key tells it of the rows that are left", async () => {
  const order = { sort: [{ path: ["k"] }], dedupe: [["k"]] };
  const output = await merged([await upload(3, 400), await upload(4, 500)], { order });
  await isRight(output);
  assert.equal(output.rows, 500);
  assert.equal(output.result.droppedRows, 400);
});

Deno.test("of an input of which nothing is known the output tells nothing", async () => {
  const output = await merged([await upload(3, 20), {
    ...await upload(4, 30),
    origins: undefined,
  }]);
  assert.equal(output.result.origins, undefined);
});

Deno.test("rows of an origin are left out, and no byte of them is in the output", async () => {
  for (
    const order of [undefined, { sort: [{ path: ["k"] }] }, {
      sort: [],
      dedupe: [["k"], ["origin"]],
    }]
  ) {
    const inputs = [await upload(3, 200), await upload(477777, 300), await upload(5, 250)];
    const file = await merged(inputs, { order });
    assert.ok(holdsText(file.bytes, "77777"));
    const output = await merged([file], { order, drop: new Set([477777, 6]) });
    assert.deepEqual([...output.result.deletedRows!], [[477777, 300], [6, 0]]);
    assert.equal(output.rows, 450);
    await isRight(output);
    assert.deepEqual(
      output.origins!.countOf([3, 5, 477777]),
      new Map([[3, 200], [5, 250], [477777, 0]]),
    );
    assert.ok(!holdsText(output.bytes, "77777"));
  }
});

Deno.test("when all rows are left out, none are in the output", async () => {
  const file = await merged([await upload(3, 200), await upload(4, 300)]);
  const output = await merged([file], { drop: new Set([3, 4]) });
  assert.equal(output.rows, 0);
  assert.deepEqual(output.result.merged, ["f0"]);
});

Deno.test("row groups without rows of the origin are copied as they are", async () => {
  const big = async (origin: number) => {
    const rows = 120_000;
    const bytes = await writeWithDuckDb(
      `select ${origin}::int as origin, hash(i + ${origin}) as a, hash(i * 3 + ${origin}) as b, hash(i * 5) as c from range(${rows}) t(i)`,
    );
    return { bytes, level: 0, origins: RowOrigins.of(origin, rows), rows };
  };
  const small = await writeWithDuckDb(
    "select 9::int as origin, hash(i) as a, hash(i) as b, hash(i) as c from range(10) t(i)",
  );
  const inputs = [
    await big(1),
    { bytes: small, level: 0, origins: RowOrigins.of(9, 10), rows: 10 },
    await big(2),
    await big(3),
  ];
  const file = await merged(inputs);
  assert.ok(file.result.rowGroupCount >= 3);
  const output = await merged([file], { drop: new Set([2]) });
  await isRight(output);
  assert.deepEqual(runs(output.origins), [[1, 120_000], [9, 10], [3, 120_000]]);
  const groups = ({ bytes }: Input) =>
    footerOfBytes(bytes).metadata.rowGroups.map(({ numRows, totalByteSize }) =>
      `${numRows} ${totalByteSize}`
    );
  const before = groups(file);
  assert.ok(groups(output).filter((group) => before.includes(group)).length >= 2);
});
