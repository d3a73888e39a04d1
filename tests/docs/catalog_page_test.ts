import { strict as assert } from "node:assert";
import { results } from "../../shared/catalog/results.ts";
import { schemaFiles } from "../../supabase/migrate/schema_files.ts";

const root = new URL("../../", import.meta.url);
const page = await Deno.readTextFile(new URL("docs/catalog.md", root));
const schemas = (await schemaFiles()).map(({ text }) => text).join("\n");

Deno.test("the catalog's page names nothing that the schemas do not have", () => {
  const names = new Set([...page.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name]) => name!));
  const strange = [...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(schemas));
  assert.ok(names.size > 60, "the names were found");
  assert.deepEqual(strange.filter((name) => name !== "read_ct" && name !== "set_vt"), []);
});

Deno.test("the catalog's page names each method of the catalog, and each table", () => {
  const methods = Object.keys(results).map((name) =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  );
  const tables = [...schemas.matchAll(/create table if not exists public\.(\w+)/g)]
    .map(([, name]) => name!);
  assert.deepEqual([...methods, ...tables].filter((name) => !page.includes(`\`${name}\``)), []);
});

/** Where invariants are spoken of by their numbers. */
const speakers = [
  "docs",
  "shared",
  "supabase/schemas",
  "supabase/tests",
  "tests/database",
  "tests/simulation",
];

async function* texts(folder: string): AsyncGenerator<{ path: string; text: string }> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    const path = `${folder}/${name}`;
    if (isDirectory && name !== "kernels") yield* texts(path);
    else if (/\.(md|sql|ts)$/.test(name)) {
      yield { path, text: await Deno.readTextFile(new URL(path, root)) };
    }
  }
}

Deno.test("each invariant that is spoken of by its number is one of the catalog's page", async () => {
  const rows = [...page.matchAll(/^\| \*\*(I\d+)\*\* \|/gm)].map(([, number]) => number!);
  assert.deepEqual(rows, rows.map((_, index) => `I${index + 1}`));
  const strange: string[] = [];
  for (const folder of speakers) {
    for await (const { path, text } of texts(folder)) {
      // what is built and packed may have any letters
      if (path === "shared/console/page_assets.ts") continue;
      for (const [number] of text.matchAll(/\bI\d+\b(?!")/g)) {
        if (!rows.includes(number)) strange.push(`${path}: ${number}`);
      }
    }
  }
  assert.deepEqual(strange, []);
  const inSql = await Deno.readTextFile(new URL("tests/simulation/invariants.sql", root));
  const told = new Set([...inSql.matchAll(/'(I\d+)'/g)].map(([, number]) => number!));
  const headed = new Set([...inSql.matchAll(/^-- (I\d+) /gm)].map(([, number]) => number!));
  assert.deepEqual(told, headed, "a look says another number than the words above it");
});
