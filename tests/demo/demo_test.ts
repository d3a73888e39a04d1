import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { openDuckdb, rows } from "../support/duckdb.ts";
import { hasExtensions, loadExtensions } from "../support/duckdb_extensions.ts";

const demo = fileURLToPath(new URL("./demo.ts", import.meta.url));
const fixtures = fileURLToPath(new URL("../../../shared/fixtures/parquet", import.meta.url));

async function run(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", demo, ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, lines: text(stdout).trimEnd().split("\n"), said: text(stderr) };
}

Deno.test("the demo turns fragments into one file a table, with the rows that were sent", async () => {
  const { code, lines, said } = await run("--json", "--fragments", "12", "--rows", "50");
  assert.equal(code, 0, said);
  const summary = JSON.parse(lines.at(-1)!);
  assert.equal(summary.equal, true);
  assert.deepEqual([summary.fragments, summary.files_before, summary.files_after], [12, 12, 3]);
  assert.deepEqual([summary.rows_sent, summary.rows_read], [600, 600]);
  assert.match(said, /attach 'ducklake:postgres:/);
});

const extensions = ["httpfs", "postgres_scanner", "ducklake"] as const;
Deno.test({
  name: "the lines that the demo ends with attach to its lake and count the rows that were sent",
  ignore: !await hasExtensions(...extensions),
  fn: async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", demo, "--keep", "--fragments", "6", "--rows", "50"],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (/until Ctrl-C/.test(said)) break;
    }
    try {
      assert.match(said, /DuckDB counts 300 rows in the lake/);
      const lines = /create secret[\s\S]*group by all;/.exec(said)![0];
      const duckdb = await openDuckdb(1);
      await loadExtensions(duckdb, ...extensions);
      const statements = lines.split(";").map((line) => line.trim()).filter(Boolean);
      for (const statement of statements.slice(0, -1)) await duckdb.run(statement);
      const [row] = await rows(duckdb, statements.at(-1)!);
      assert.equal(row!.period_tag, "2024-11-25");
      assert.equal(Number(Object.values(row!)[2]), 100);
    } finally {
      child.kill("SIGINT");
      assert.equal((await child.status).code, 130);
    }
  },
});

const present = await Deno.stat(fixtures).then(() => true, () => false);
if (!present) console.log("skipped: the demo over ../shared/fixtures/parquet, which is not there");
Deno.test({
  name:
    "the demo merges every fixture that is accepted with a copy of itself, and DuckDB finds its rows twice",
  ignore: !present,
  fn: async () => {
    const { code, lines, said } = await run("--json", "--copies", "2", "--input", fixtures);
    assert.equal(code, 0, said);
    const summary = JSON.parse(lines.at(-1)!);
    assert.equal(summary.equal, true);
    assert.ok(summary.files_after * 2 === summary.files_before, said);
    // Both are files that DuckDB itself can't read.
    assert.equal(summary.not_compared, 2);
  },
});

Deno.test("the demo says what is wrong with its arguments before it starts anything", async () => {
  for (
    const [args, what] of [
      [["--fragments", "0"], /whole number from 1/],
      [["--input", "/nowhere"], /is not there/],
      [["--input", "/tmp", "--rows", "5"], /don't go with it/],
      [["--url", "http://127.0.0.1:1"], /go together/],
      [["--keep", "--url", "http://127.0.0.1:1", "--key", "k"], /of the demo's own/],
    ] as const
  ) {
    const { code, said } = await run(...args);
    assert.equal(code, 2, said);
    assert.match(said, what);
  }
});
