/** Signed URLs for downloads and uploads. Part of the suite of the Storage API. */
import { strict as assert } from "node:assert";

import { bodies, bytesOf, type Check, content, done, refused, textOf } from "./case.ts";

/** Registers these checks. */
export function signedUrlChecks(check: Check): void {
  check("a signed URL opens its object only, until it expires", async ({ files }) => {
    done(await files.upload("s/a b", content));
    done(await files.upload("s/other", "other"));
    const { signedUrl } = done(await files.createSignedUrl("s/a b", 60));
    const answer = await fetch(signedUrl, { headers: { range: "bytes=1-4" } });
    assert.equal(answer.status, 206);
    assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content.slice(1, 5));

    const other = signedUrl.replace("s/a%20b", "s/other");
    assert.notEqual(other, signedUrl);
    for (const url of [other, signedUrl.slice(0, -2), signedUrl.replace(/\?token=.*/, "")]) {
      const refusal = await fetch(url);
      await refusal.body?.cancel();
      assert.ok(refusal.status >= 400 && refusal.status < 500, `${url}: ${refusal.status}`);
    }

    const short = done(await files.createSignedUrl("s/a b", 1)).signedUrl;
    let last = 200;
    for (let attempt = 0; attempt < 40 && last < 400; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const late = await fetch(short);
      await late.body?.cancel();
      last = late.status;
    }
    assert.ok(last >= 400, "a URL for one second still opens after ten");
  });

  check("a signed URL can ask for a file name", async ({ files }) => {
    done(await files.upload("s", content));
    const { signedUrl } = done(await files.createSignedUrl("s", 60, { download: "name.bin" }));
    const answer = await fetch(signedUrl);
    await answer.body?.cancel();
    assert.match(
      answer.headers.get("content-disposition") ?? "",
      /^attachment; filename=name\.bin/,
    );
  });

  check("many URLs are signed at once, each with its own error", async ({ files }) => {
    done(await files.upload("m/1", "one"));
    const rows = done(await files.createSignedUrls(["m/1", "m/2"], 60));
    assert.deepEqual(rows.map((row) => row.path), ["m/1", "m/2"]);
    assert.equal(rows[0].error, null);
    assert.equal(await (await fetch(rows[0].signedUrl!)).text(), "one");
    assert.match(rows[1].error ?? "", /does not exist/);
    assert.equal(rows[1].signedUrl, null);
  });

  for (const [kind, bodyOf] of Object.entries(bodies)) {
    check(`a signed upload URL takes a ${kind} once`, async ({ files }) => {
      const { token, path } = done(await files.createSignedUploadUrl("up/a"));
      refused(await files.uploadToSignedUrl("up/b", token, bodyOf(), { duplex: "half" }), 400);
      refused(await files.uploadToSignedUrl(path, token + "x", bodyOf(), { duplex: "half" }), 400);
      const stored = done(
        await files.uploadToSignedUrl(path, token, bodyOf(), { duplex: "half" }),
      );
      assert.ok(stored.fullPath.endsWith("/up/a"));
      assert.deepEqual(await bytesOf(done(await files.download("up/a"))), content);
      refused(await files.uploadToSignedUrl(path, token, bodyOf(), { duplex: "half" }), 409);
    });
  }

  check("an upload URL for a key that is taken needs upsert", async ({ files }) => {
    done(await files.upload("t", "first"));
    refused(await files.createSignedUploadUrl("t"), 409);
    const { token } = done(await files.createSignedUploadUrl("t", { upsert: true }));
    done(await files.uploadToSignedUrl("t", token, "second"));
    done(await files.uploadToSignedUrl("t", token, "third"));
    assert.equal(await textOf(done(await files.download("t"))), "third");
  });
}
