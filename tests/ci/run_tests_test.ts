import { strict as assert } from "node:assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../.ci/run_tests.ts", import.meta.url));

const passes = `Deno.test("passes", () => {});\n`;
// mkdir throws where the folder is there already: the second time
const failsOnce = `Deno.test("fails once", async () => {
  const again = await Deno.mkdir("seen").then(() => false, () => true);
  if (!again) throw new Error("the first time");
});\n`;
const failsAlways = `Deno.test("fails always", async (t) => {
  await t.step("a step", () => { throw new Error("each time"); });
});\n`;
const skipped = `Deno.test({ name: "skipped", ignore: true, fn() {} });\n`;

/** Runs the script over test files of these contents; what it printed, and its end. */
async function over(files: Record<string, string>, flags = "--no-check --parallel") {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(folder, "tests"));
    const task = `deno test -A --quiet ${flags} tests/`;
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ tasks: { test: task } }));
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, "tests", name), text);
    }
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", script, Deno.execPath(), "task", "test"],
      cwd: folder,
      env: { NO_COLOR: "1", GITHUB_ACTIONS: "true" },
      stderr: "null",
    }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    return {
      code,
      /** How often a file was repeated alone. */
      repeated: lines.filter((line) => line.startsWith("== once more, alone: ")).length,
      told: lines.filter((line) => /^(!!|::)/.test(line)),
      last: lines.at(-1),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("tests that all pass run once", async () => {
  const files = { "a_test.ts": passes, "b_test.ts": passes + skipped };
  const expected = { code: 0, repeated: 0, told: [], last: "2 passed, 0 failed, 1 skipped" };
  assert.deepEqual(await over(files), expected);
});

Deno.test("a test that fails beside the others and passes alone passes, and is named", async () => {
  const files = { "a_test.ts": passes + failsOnce + skipped, "b_test.ts": passes };
  assert.deepEqual(await over(files), {
    code: 0,
    repeated: 1,
    told: [
      "!! Tests that failed, and how their files did alone:",
      "!! ./tests/a_test.ts",
      "!!   failed beside the others: fails once",
      "!!   passed alone: it stands on the state of the machine. MEND IT",
      "::warning file=./tests/a_test.ts::failed beside other tests, passed alone: fails once",
    ],
    last: "3 passed, 0 failed, 1 skipped",
  });
});

Deno.test("a test that fails twice fails, whatever another one did the second time", async () => {
  const files = { "a_test.ts": passes + failsOnce, "b_test.ts": passes + failsAlways };
  const { code, repeated, told, last } = await over(files);
  assert.deepEqual([code, repeated, last], [1, 2, "3 passed, 1 failed, 0 skipped"]);
  assert.ok(told.includes("!!   failed alone too: fails always ... a step"), told.join("\n"));
});

Deno.test("a file that cannot be loaded fails, and so does one with an error outside of its tests", async () => {
  const late = `Deno.test("late", async () => {
    setTimeout(() => { throw new Error("of nobody"); });
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });\n`;
  const files = {
    "a_test.ts": passes,
    "b_test.ts": `throw new Error("on load");`,
    "c_test.ts": late,
  };
  const { code, repeated, told, last } = await over(files);
  assert.deepEqual([code, repeated], [1, 2]);
  assert.equal(told.filter((line) => line.endsWith("an error outside of its tests")).length, 4);
  assert.match(last!, /^1 passed, [1-9]\d* failed, 0 skipped$/);
});

Deno.test("types that do not check fail and are not tried again", async () => {
  const { code, repeated, last } = await over({
    "a_test.ts": passes,
    "b_test.ts": `const text: string = 1;\n${passes}`,
  }, "--parallel");
  assert.deepEqual([code, repeated, last], [1, 0, "0 passed, 1 failed, 0 skipped"]);
});

Deno.test("a runner that is killed fails and is not tried again", async () => {
  const dies = `Deno.test("dies", async () => {
    Deno.kill(Deno.pid, "SIGKILL");
    await new Promise(() => {});
  });\n`;
  const { code, repeated, last } = await over({ "a_test.ts": passes, "b_test.ts": dies });
  assert.deepEqual([code, repeated, last], [1, 0, "0 passed, 1 failed, 0 skipped"]);
});

Deno.test("more files than a busy machine explains are not tried again", async () => {
  const files = Array.from({ length: 21 }, (_, n) => [`n${n}_test.ts`, failsAlways]);
  const { code, repeated, last } = await over(Object.fromEntries(files));
  assert.deepEqual([code, repeated, last], [1, 0, "0 passed, 21 failed, 0 skipped"]);
});
