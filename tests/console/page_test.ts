import { strict as assert } from "node:assert";
import { gunzipSync } from "node:zlib";
import { buildPage, mostBytes } from "../../shared/console/build.ts";
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
  const bytes = Object.values(pageAssets).reduce((sum, text) => sum + atob(text).length, 0);
  assert.ok(bytes <= mostBytes, `${bytes}`);
  const addresses = Object.values(texts).join("\n").match(/https?:\/\/[^"'`\s)]+/g) ?? [];
  // names of formats, which nobody asks for
  assert.deepEqual(addresses.filter((address) => !address.startsWith("http://www.w3.org/")), []);
  const { headers } = pageFile(pageAssets, "/console", null)!;
  assert.match(headers["content-security-policy"], /default-src 'none'.*connect-src 'self'/);
  assert.doesNotMatch(headers["content-security-policy"], /unsafe|\*/);
});

Deno.test("a file that the browser has is not sent again, and what is none is not there", () => {
  const { headers } = pageFile(pageAssets, "/console/console.js", null)!;
  assert.equal(pageFile(pageAssets, "/console/console.js", headers.etag)!.status, 304);
  for (const path of ["/console/none.js", "/console/../deno.json", "/console/constructor"]) {
    assert.equal(pageFile(pageAssets, path, null), undefined);
  }
});
