import { strict as assert } from "node:assert";
import { pathToFileURL as toFileUrl } from "node:url";
import { gunzipSync } from "node:zlib";
import { buildPage, lazyFile, mostBytes } from "../../shared/console/build.ts";
import { mends } from "../../shared/console/page/mends.ts";
import { readRows, type RowsQuery } from "../../shared/console/page/rows_reader.ts";
import { pageAssets } from "../../shared/console/page_assets.ts";
import { pageFile } from "../../shared/console/serve_page.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const texts = Object.fromEntries(
  Object.keys(pageAssets).map((name) => [
    name,
    gunzipSync(pageFile(pageAssets, `/console/${name}`, null)!.body!).toString(),
  ]),
);

Deno.test("the page that is served is the one of the sources", async () => {
  const built = await buildPage();
  assert.deepEqual(Object.keys(texts), Object.keys(built));
  for (const name of Object.keys(built)) {
    // the reader is not the page's own: what it does is compared below
    if (name !== lazyFile) {
      assert.equal(texts[name], built[name], "deno task console makes it anew");
    }
  }
});

Deno.test("the chunk that reads rows reads them as its sources do", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of Object.keys(texts).filter((name) => name.endsWith(".js"))) {
      await Deno.writeTextFile(`${folder}/${name}`, texts[name]);
    }
    const chunk = await import(toFileUrl(`${folder}/${lazyFile}`).href);
    const file = tinyParquet([3, 1, 2]);
    const asked: string[] = [];
    const query: RowsQuery = {
      datasetId: crypto.randomUUID(),
      table: "t",
      origin: "http://page.test",
      count: 2,
      ask: (path) => {
        asked.push(path.split("?")[0]);
        return Promise.resolve(answerTo(path, file));
      },
    };
    const read = await chunk.readRows(query);
    assert.deepEqual(read, {
      columns: [{ name: "n", type: "Int32" }],
      rows: [["3"], ["1"]],
      leftOut: 0,
    });
    // nobody but the functions is asked
    assert.deepEqual([...new Set(asked)].sort(), [
      "/battle-data/chunks",
      "/battle-data/files/7/content",
      "/battle-data/tables",
    ]);
    assert.deepEqual(await readRows(query), read);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What the functions answer of a dataset of one file. */
function answerTo(path: string, file: Uint8Array<ArrayBuffer>): Response {
  const one = { version: 1, committed_at: null, next_cursor: null };
  if (path.endsWith("/content")) return new Response(file, { status: 200 });
  if (path.startsWith("/battle-data/chunks")) {
    assert.doesNotMatch(path, /signed/);
    const { size, row_count } = { size: file.length, row_count: 3 };
    return Response.json({
      ...one,
      files: [{ id: 7, table: "t", period_tag: "0", size, row_count }],
    });
  }
  const column = { name: "n", type: "INT32", repetition: "optional" };
  const schema = { name: "root", children: [column] };
  return Response.json({
    ...one,
    tables: [{
      table: "t",
      files: 1,
      rows: 3,
      bytes: file.length,
      periods: [],
      columns: [column],
      schemas: [{ fingerprint: "f", files: 1, rows: 3, schema }],
    }],
  });
}

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
