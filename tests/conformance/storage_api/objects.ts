/** Objects: upload, download, ranges, what a HEAD tells. Part of the suite of the Storage API. */
import { strict as assert } from "node:assert";

import { bodies, bytesOf, type Check, content, done, refused, textOf } from "./case.ts";

/** Registers these checks. */
export function objectChecks(check: Check): void {
  for (const [kind, bodyOf] of Object.entries(bodies)) {
    check(`a ${kind} is stored as it is, with its type`, async ({ files }) => {
      const data = done(
        await files.upload("in/a.parquet", bodyOf(), {
          contentType: "application/vnd.apache.parquet",
          cacheControl: "60",
          metadata: { from: "conformance" },
          duplex: "half",
        }),
      );
      assert.equal(data.path, "in/a.parquet");
      assert.match(data.id, /^[0-9a-f-]{36}$/);
      assert.deepEqual(await bytesOf(done(await files.download("in/a.parquet"))), content);
      const info = done(await files.info("in/a.parquet"));
      assert.equal(info.size, content.byteLength);
      assert.equal(info.name, "in/a.parquet");
      assert.equal(info.contentType, "application/vnd.apache.parquet");
      assert.equal(info.cacheControl, "max-age=60");
      assert.deepEqual(info.metadata, { from: "conformance" });
      assert.match(String(info.etag), /^"[0-9a-f-]+"$/);
    });

    check(`a ${kind} on a key that is taken is a duplicate`, async ({ files }) => {
      done(await files.upload("taken", "first"));
      refused(await files.upload("taken", bodyOf(), { duplex: "half" }), 409, /already exists/);
      assert.equal(await textOf(done(await files.download("taken"))), "first");
      done(await files.upload("taken", bodyOf(), { upsert: true, duplex: "half" }));
      assert.deepEqual(await bytesOf(done(await files.download("taken"))), content);
    });
  }

  check("an update replaces; the row's id and birth stay", async ({ files }) => {
    done(await files.upload("a", "first"));
    const before = done(await files.info("a"));
    done(await files.update("a", "second"));
    const after = done(await files.info("a"));
    assert.equal(await textOf(done(await files.download("a"))), "second");
    assert.equal(after.id, before.id);
    assert.equal(after.createdAt, before.createdAt);
    assert.notEqual(after.version, before.version);
    assert.notEqual(after.etag, before.etag);
  });

  check("an empty object is an object", async ({ files }) => {
    done(await files.upload("empty", new Uint8Array()));
    assert.equal(done(await files.info("empty")).size, 0);
    assert.equal((await bytesOf(done(await files.download("empty")))).byteLength, 0);
  });

  check("what isn't there is not found", async ({ files, storage, send, bucket }) => {
    refused(await files.download("nothing"), 404, /not found/i);
    refused(await files.info("nothing"), 404, /not found/i);
    assert.equal((await files.exists("nothing")).data, false);
    refused(await files.createSignedUrl("nothing", 60), 404, /not found/i);
    refused(await files.copy("nothing", "copy"), 404, /not found/i);
    refused(await files.move("nothing", "moved"), 404, /not found/i);
    refused(await storage.from("no-such-bucket").upload("a", "x"), 404, /bucket not found/i);
    refused(await storage.getBucket("no-such-bucket"), 404, /bucket not found/i);
    const head = await send("HEAD", `object/${bucket}/nothing`);
    assert.ok(head.status >= 400, `HEAD was answered ${head.status}`);
  });

  check("a download honours Range", async ({ files, send, bucket }) => {
    done(await files.upload("r", content));
    const size = content.byteLength;
    const parts: [string, number, number][] = [
      ["bytes=0-0", 0, 1],
      ["bytes=10-19", 10, 20],
      [`bytes=${size - 5}-`, size - 5, size],
      ["bytes=-7", size - 7, size],
      [`bytes=${size - 3}-${size + 1000}`, size - 3, size],
    ];
    for (const [range, start, end] of parts) {
      const answer = await send("GET", `object/${bucket}/r`, { headers: { range } });
      assert.equal(answer.status, 206, range);
      assert.equal(answer.headers.get("content-range"), `bytes ${start}-${end - 1}/${size}`);
      assert.equal(answer.headers.get("content-length"), String(end - start));
      assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), content.slice(start, end));
    }
    const beyond = await send("GET", `object/${bucket}/r`, {
      headers: { range: `bytes=${size}-` },
    });
    await beyond.body?.cancel();
    assert.ok(beyond.status >= 400, `a range beyond the end was answered ${beyond.status}`);
  });

  check("HEAD and GET tell size, type, ETag and time", async ({ files, send, bucket }) => {
    done(await files.upload("h", content, { contentType: "application/x-test" }));
    for (const method of ["HEAD", "GET"]) {
      const answer = await send(method, `object/authenticated/${bucket}/h`);
      await answer.body?.cancel();
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("content-length"), String(content.byteLength));
      assert.match(answer.headers.get("etag") ?? "", /^"[0-9a-f-]+"$/);
      assert.ok(!isNaN(Date.parse(answer.headers.get("last-modified") ?? "")));
      assert.equal(answer.headers.get("cache-control"), "max-age=3600");
      assert.equal(answer.headers.get("content-type"), "application/x-test");
    }
  });
}
