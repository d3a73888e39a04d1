/** Signed URLs, which need no key. Part of the suite of object stores. */
import { strict as assert } from "node:assert";

import { assertSameBytes, type Check, noise, text } from "../store_case.ts";

/** Registers these checks. */
export function signedUrlChecks(check: Check): void {
  check("a signed download URL works without a key", async ({ store, key, opened }) => {
    const bytes = noise(5000);
    await store.put(key("d b/signed+1"), bytes);
    const url = await store.signDownload(key("d b/signed+1"), 600);
    if (opened.fetchable === false) return;
    const whole = await fetch(url);
    assert.equal(whole.status, 200);
    assertSameBytes(new Uint8Array(await whole.arrayBuffer()), bytes);
    const part = await fetch(url, { headers: { range: "bytes=100-199" } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get("content-range"), "bytes 100-199/5000");
    assertSameBytes(new Uint8Array(await part.arrayBuffer()), bytes.slice(100, 200));

    const forged = await fetch(url.replaceAll("signed%2B1", "other").replaceAll("+1", "+2"));
    await forged.body?.cancel();
    assert.ok(forged.status >= 400, `a forged URL was answered ${forged.status}`);
  });

  check(
    "keys with marks that URLs set apart are signed as they are",
    async ({ store, key, opened }) => {
      for (
        const name of ["a=b", "a+b", "a@b", "a$b", "a&b", "a,b", "a:b", "a;b", "a?b", "a'(b)!*"]
      ) {
        await store.put(key(name), text(name));
        const url = await store.signDownload(key(name), 60);
        if (opened.fetchable === false) continue;
        const answer = await fetch(url);
        assert.equal(await answer.text(), name, url);
      }
    },
  );

  check("many keys are signed by one call, and one that is missed fails none", async (world) => {
    const { store, key, opened } = world;
    const names = ["many/1", "many/2 b", "many/3=c"].map(key);
    for (const name of names) await store.put(name, text(name));
    const gone = key("many/gone");
    const urls = await store.signDownloads([names[0], gone, ...names.slice(1)], 600);
    assert.deepEqual([...urls.keys()], [names[0], gone, ...names.slice(1)]);
    if (opened.fetchable === false) return;
    for (const name of names) assert.equal(await (await fetch(urls.get(name)!)).text(), name);
    // a store that signs by itself does not know what is there
    const url = urls.get(gone);
    if (url) assert.ok((await fetch(url)).status >= 400);
  });

  check("a signed upload URL takes a PUT without a key", async ({ store, key, opened }) => {
    const { url, expiresAt } = await store.signUpload(key("u/signed"));
    assert.ok(expiresAt.getTime() > Date.now());
    if (opened.fetchable === false) return;
    const answer = await fetch(url, {
      method: "PUT",
      body: text("uploaded"),
      headers: { "content-type": "application/octet-stream" },
    });
    assert.equal(answer.status, 200, await answer.text());
    assertSameBytes(await store.get(key("u/signed")), text("uploaded"));

    const forged = await fetch(url.replace("u/signed", "u/other"), { method: "PUT", body: "x" });
    await forged.body?.cancel();
    assert.ok(forged.status >= 400, `a forged URL was answered ${forged.status}`);
    assert.equal(await store.head(key("u/other")), null);
  });
}
