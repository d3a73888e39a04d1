import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import { hasCurl } from "../support/has_curl.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { sampleCount, sampleFile, samplePath } from "../../docs/sample/make.ts";

const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

/** The shell block below a heading of the README. */
function shellBlock(heading: string): string {
  const [, block] = new RegExp(`## ${heading}\n[^]*?\`\`\`sh\n([^]*?)\`\`\``).exec(readme) ?? [];
  assert.ok(block, `README.md has no shell block below "${heading}"`);
  return block;
}

Deno.test("the README's curl lines do what they say", async () => {
  if (!await hasCurl()) return console.log("skipped: there is no curl on this machine");
  await using stack = await startStack({ cron: false });
  const script = shellBlock("Five minutes with curl")
    .replace(/^URL=.*$/m, `URL=${stack.url}`)
    .replace(/^KEY=.*$/m, `KEY=${stack.publishableKey}`);
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    // Each answer on a line of its own, so that they can be told apart.
    args: [
      "-euo",
      "pipefail",
      "-c",
      `curl() { command curl "$@"; local s=$?; echo; return $s; }\n${script}`,
    ],
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(success, new TextDecoder().decode(stderr) + text);
  const answers = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  assert.equal(answers.length, 8);
  const uploads = answers.slice(0, 5);
  assert.deepEqual(
    uploads.map(({ ok, duplicate }) => [ok, duplicate]),
    Array(5).fill([true, false]),
  );
  const [latest, run, openapi] = answers.slice(5);
  assert.deepEqual(
    latest.files.map(({ table, row_count }: { table: string; row_count: number }) => [
      table,
      row_count,
    ]),
    [...Array(4).fill(["battles", 50]), ["quests", 50]],
  );
  assert.equal(latest.next_cursor, null);
  assert.ok(["queued", "running", "success"].includes(run.status), JSON.stringify(run));
  assert.equal(openapi.openapi, "3.1.0");
});

Deno.test("the README's sample files are what their maker makes", async () => {
  for (let n = 1; n <= sampleCount; n++) {
    assert.deepEqual(await Deno.readFile(samplePath(n)), sampleFile(n), `battles-${n}.parquet`);
  }
});
