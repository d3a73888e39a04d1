import { strict as assert } from "node:assert";
import { gunzipSync } from "node:zlib";
import { buildPage, lazyFile, mostBytes } from "../../shared/console/build.ts";
import { mends } from "../../shared/console/page/mends.ts";
import { pageAssets } from "../../shared/console/page_assets.ts";
import { pageFile } from "../../shared/console/serve_page.ts";

const texts = Object.fromEntries(
  Object.keys(pageAssets).map((name) => [
    name,
    gunzipSync(pageFile(pageAssets, `/console/${name}`, null)!.body!).toString(),
  ]),
);

Deno.test("the page that is served is the one of the sources", async () => {
  assert.deepEqual(texts, await buildPage(), "deno task console makes it anew");
});

Deno.test("the page asks nobody but who serves it, and is no larger than it may be", () => {
  const bytes = Object.entries(pageAssets)
    .reduce((sum, [name, text]) => sum + (name === lazyFile ? 0 : atob(text).length), 0);
  assert.ok(bytes <= mostBytes, `${bytes}`);
  // nor is the reader part of what is loaded at once
  assert.ok(!texts["console.js"].includes(`from"./${lazyFile}"`));
  assert.ok(texts["console.js"].includes(`import("./${lazyFile}")`));
  const addresses = Object.values(texts).join("\n").match(/https?:\/\/[^"'`\s)]+/g) ?? [];
  // names of formats, which nobody asks for
  assert.deepEqual(addresses.filter((address) => !address.startsWith("http://www.w3.org/")), []);
  const { headers } = pageFile(pageAssets, "/console", null)!;
  assert.match(headers["content-security-policy"], /default-src 'none'.*connect-src 'self'/);
  assert.doesNotMatch(headers["content-security-policy"], /unsafe-inline|'unsafe-eval|\*/);
  assert.match(headers["content-security-policy"], /script-src 'self' 'wasm-unsafe-eval';/);
});

Deno.test("a file that the browser has is not sent again, and what is none is not there", () => {
  const { headers } = pageFile(pageAssets, "/console/console.js", null)!;
  assert.equal(pageFile(pageAssets, "/console/console.js", headers.etag)!.status, 304);
  for (const path of ["/console/none.js", "/console/../deno.json", "/console/constructor"]) {
    assert.equal(pageFile(pageAssets, path, null), undefined);
  }
});

Deno.test("each trouble that is told of has its line of what mends it, and no other has", async () => {
  const sources = await Promise.all(
    ["catalog_health", "clockwork_faults", "watch_troubles", "commit_store_check", "beat_clockwork"]
      .map(schemaText),
  );
  const named = (text: string, expression: RegExp) =>
    [...text.matchAll(expression)].map(([, name]) => name);
  const [health, clockwork, troubles] = sources;
  const names = new Set([
    ...named(health, /then '([a-z_]+)' end/g),
    ...named(clockwork, /v_faults \|\| '([a-z_]+)'/g),
    ...named(troubles, /v_troubles \|\| jsonb_build_object\('([a-z_]+)'/g),
    ...named(sources.join("\n"), /(?:open_incident|raise_alert)\('([a-z_]+)'/g),
    // of the functions, which can't ask the catalog
    "wasm_missing",
    "catalog_failed",
  ]);
  assert.ok(names.size > 12, [...names].join());
  assert.deepEqual(Object.keys(mends).sort(), [...names].sort());
  const page = await Deno.readTextFile(new URL("../../docs/operations.md", import.meta.url));
  for (const name of names) assert.match(page, new RegExp(`^\\| .*\`${name}\``, "m"), name);
});

/** The source of a SQL function. */
async function schemaText(name: string): Promise<string> {
  const schemas = new URL("../../supabase/schemas/", import.meta.url);
  for await (const folder of Deno.readDir(schemas)) {
    if (!folder.isDirectory) continue;
    const file = new URL(`${folder.name}/${name}.sql`, schemas);
    const text = await Deno.readTextFile(file).catch(() => null);
    if (text !== null) return text;
  }
  throw new Error(`there is no ${name}.sql`);
}
