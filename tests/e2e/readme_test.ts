import { strict as assert } from "node:assert";
import { join } from "node:path";
import { startStack } from "../../supabase/local/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));

/** The shell block below a heading of the README. */
function shellBlock(heading: string): string {
  const [, block] = new RegExp(`## ${heading}\n[^]*?\`\`\`sh\n([^]*?)\`\`\``).exec(readme) ?? [];
  assert.ok(block, `README.md has no shell block below "${heading}"`);
  return block;
}

async function hasCurl(): Promise<boolean> {
  try {
    return (await new Deno.Command("curl", { args: ["--version"], stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

Deno.test("the README's curl lines do what they say", async () => {
  if (!await hasCurl()) return console.log("skipped: there is no curl on this machine");
  await using stack = await startStack({ cron: false });
  const folder = await Deno.makeTempDir({ prefix: "sediment-readme-" });
  try {
    await Deno.writeFile(join(folder, "part.parquet"), tinyParquet([1, 2, 3]));
    const script = shellBlock("With curl")
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
      cwd: folder,
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.ok(success, new TextDecoder().decode(stderr) + text);
    const answers = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    const [atOnce, inTwo, latest, run, openapi] = answers;
    assert.equal(answers.length, 5);
    assert.deepEqual([atOnce.ok, inTwo.ok], [true, true]);
    assert.deepEqual(latest.files.map(({ table }: { table: string }) => table), [
      "battles",
      "quests",
    ]);
    assert.ok(["queued", "running", "success"].includes(run.status), JSON.stringify(run));
    assert.equal(openapi.openapi, "3.1.0");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
