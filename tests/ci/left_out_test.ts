import { strict as assert } from "node:assert";
import { dirname, normalize } from "node:path";
import { long, servers } from "../left_out.ts";

const root = new URL("../../", import.meta.url).pathname;

/** What starts PostgreSQL, by itself or with a stack. */
const server = "supabase/local/postgres/server.ts";

/** What a file imports of ours, itself and all that it leads to; a type alone starts nothing. */
async function reached(file: string): Promise<Set<string>> {
  const seen = new Set([file]);
  for (const from of seen) {
    const text = await Deno.readTextFile(root + from);
    for (
      const [, path] of text.matchAll(/^(?:import|export)\s(?!type)[^;]*?"(\.[^"]+\.ts)"/gm)
    ) seen.add(normalize(`${dirname(from)}/${path}`));
  }
  return seen;
}

async function* testFiles(folder = "tests"): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    const path = `${folder}/${name}`;
    if ([...servers, ...long].includes(path.slice("tests/".length))) continue;
    if (isDirectory) yield* testFiles(path);
    else if (name.endsWith("_test.ts")) yield path;
  }
}

Deno.test("no test that test:quick takes can start PostgreSQL", async () => {
  const starting: string[] = [];
  let looked = 0;
  for await (const file of testFiles()) {
    looked++;
    if ((await reached(file)).has(server)) starting.push(file);
  }
  assert.ok(looked > 100, "the tests were found");
  assert.deepEqual(starting, [], "they are to be named in tests/left_out.ts");
});
