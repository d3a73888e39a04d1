/** What those get who have no key, or another's name for a path. Part of the suite of the Storage API. */
import { strict as assert } from "node:assert";

import { bytesOf, type Check, clientOf, content, done, refused } from "./case.ts";

/** Registers these checks. */
export function strangerChecks(check: Check): void {
  check("a public bucket can be read without a key", async ({ files, storage, bucket }) => {
    done(await files.upload("p/a", content));
    const url = files.getPublicUrl("p/a").data.publicUrl;
    const answer = await fetch(url, { headers: { range: "bytes=0-3" } });
    assert.equal(answer.status, 206);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content.slice(0, 4));
    done(await storage.updateBucket(bucket, { public: false }));
    // A cache on the way may keep the first for a while; a new address it can't know.
    const closed = await fetch(url + "?again");
    await closed.body?.cancel();
    assert.ok(closed.status >= 400, `a private bucket's public URL was answered ${closed.status}`);
  }, { public: true });

  check("a stranger sees and changes nothing", async ({ api, files, bucket }) => {
    if (!api.publishableKey) return;
    done(await files.upload("secret", content));
    const strange = clientOf(api.url, api.publishableKey).storage;
    const theirs = strange.from(bucket);
    refused(await theirs.download("secret"), 404);
    refused(await theirs.info("secret"), 404);
    refused(await theirs.createSignedUrl("secret", 60), 404);
    refused(await theirs.upload("new", "x"), 403, /row-level security/);
    refused(await theirs.upload("secret", "x", { upsert: true }), 403, /row-level security/);
    refused(await theirs.createSignedUploadUrl("new"), 403, /row-level security/);
    refused(await theirs.copy("secret", "copy"), 404);
    refused(await theirs.move("secret", "moved"), 404);
    assert.deepEqual(done(await theirs.list()), []);
    assert.deepEqual(done(await theirs.remove(["secret"])), []);
    assert.deepEqual(done(await strange.listBuckets()), []);
    refused(await strange.getBucket(bucket), 404);
    refused(await strange.createBucket("strange-bucket"), 403, /row-level security/);
    refused(await strange.emptyBucket(bucket), 403);
    refused(await strange.deleteBucket(bucket), 404);
    assert.deepEqual(await bytesOf(done(await files.download("secret"))), content);
    const keyless = await fetch(`${api.url}/storage/v1/object/${bucket}/secret`);
    await keyless.body?.cancel();
    assert.ok(keyless.status >= 400 && keyless.status < 500, `without a key: ${keyless.status}`);
  });

  check("names that lead elsewhere are refused", async ({ send, bucket, files }) => {
    const bad = ["a%5Cb", "a%00b", "a%0Ab", "a%7Bb", "..%2F..%2Fetc%2Fpasswd", "a%2F..%2Fb", "%zz"];
    for (const name of bad) {
      const answer = await send("POST", `object/${bucket}/${name}`, {
        headers: { "content-type": "text/plain" },
        body: "x",
      });
      const said = await answer.text();
      assert.ok(answer.status >= 400 && answer.status < 500, `${name}: ${answer.status} ${said}`);
    }
    refused(await files.move("a", "../b"), 404);
    assert.deepEqual(done(await files.list()), []);
  });
}
