import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";

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
    ] as const
  ) {
    const { code, said } = await run(...args);
    assert.equal(code, 2, said);
    assert.match(said, what);
  }
});
