/**
 * What Supabase's Storage API does, through supabase-js and by plain HTTP: the suite that keeps the stand-in
 * honest. It asserts only what the real one also does, so it can be pointed at a project by URL and keys.
 */
import { strict as assert } from "node:assert";

import { createClient } from "@supabase/supabase-js";

/** A Storage API under test. */
export interface OpenedStorageApi {
  /** The project's URL, without `/storage/v1`. */
  url: string;
  secretKey: string;
  /** Without it, what strangers get isn't tried. */
  publishableKey?: string;
  close(): Promise<void>;
}

/**
 * Registers the suite; each test makes a bucket of its own and deletes it.
 * @param test where the tests go
 */
export function storageApiConformance(
  name: string,
  open: () => Promise<OpenedStorageApi>,
  test: (name: string, run: () => Promise<void>) => void = Deno.test,
): void {
  const check = (
    sentence: string,
    run: (c: Case) => Promise<void>,
    bucket: BucketOptions = { public: false },
  ) =>
    test(`${name}: ${sentence}`, async () => {
      const api = await open();
      const c = new Case(api);
      try {
        done(await c.storage.createBucket(c.bucket, bucket));
        await run(c);
      } finally {
        await c.cleanUp();
        await api.close();
      }
    });

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

  check("a listing has folders and files of one level", async ({ files }) => {
    for (const key of ["b", "a", "dir/x", "dir/y", "dir/deep/z", "dir2/x", "c"]) {
      done(await files.upload(key, key));
    }
    const names = async (...call: Parameters<typeof files.list>) =>
      done(await files.list(...call)).map((row) => row.name);
    assert.deepEqual((await names()).sort(), ["a", "b", "c", "dir", "dir2"]);
    assert.deepEqual((await names("dir")).sort(), ["deep", "x", "y"]);
    assert.deepEqual((await names("dir/")).sort(), ["deep", "x", "y"]);
    assert.deepEqual(await names("nowhere"), []);
    assert.deepEqual(await names("", { search: "dir2" }), ["dir2"]);
    assert.deepEqual(await names("dir", { search: "x" }), ["x"]);

    const all = await names("dir", { sortBy: { column: "name", order: "asc" } });
    assert.deepEqual(await names("dir", { limit: 2 }), all.slice(0, 2));
    assert.deepEqual(await names("dir", { limit: 2, offset: 1 }), all.slice(1, 3));
    assert.deepEqual(await names("dir", { offset: 3 }), []);
    const onlyFiles = (rows: string[]) => rows.filter((row) => row !== "deep");
    const descending = await names("dir", { sortBy: { column: "name", order: "desc" } });
    assert.deepEqual(onlyFiles(descending), ["y", "x"]);
    const byBirth = await names("dir", { sortBy: { column: "created_at", order: "asc" } });
    assert.deepEqual(onlyFiles(byBirth), ["x", "y"]);

    const rows = done(await files.list("dir"));
    const folder = rows.find((row) => row.name === "deep")!;
    assert.deepEqual([folder.id, folder.metadata], [null, null]);
    const file = rows.find((row) => row.name === "x")!;
    assert.equal(file.metadata?.size, 5);
    assert.match(file.metadata?.eTag, /^"/);
    done(await files.remove(["dir/deep/z"]));
    assert.deepEqual((await names("dir")).sort(), ["x", "y"], "an empty folder is none");
  });

  check("a listing by cursor has keys in order", async ({ files }) => {
    const keys = ["k/1", "k-1", "k/10", "k/2/x", "k.1", "K/1", "l"].sort();
    for (const key of keys) done(await files.upload(key, key));
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = done(await files.listV2({ limit: 2, cursor, with_delimiter: false }));
      found.push(...page.objects.map((object) => object.key ?? object.name));
      assert.equal(page.hasNext, page.nextCursor !== undefined);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(found, keys);

    const under = done(await files.listV2({ prefix: "k/", with_delimiter: true }));
    assert.deepEqual(under.objects.map((object) => object.key ?? object.name), ["k/1", "k/10"]);
    assert.deepEqual(under.folders.map((folder) => folder.key ?? folder.name), ["k/2/"]);
  });

  check("a removal tells what it removed", async ({ files }) => {
    for (const key of ["x/1", "x/2", "y"]) done(await files.upload(key, key));
    const removed = done(await files.remove(["x/1", "absent", "y"]));
    assert.deepEqual(removed.map((row) => row.name).sort(), ["x/1", "y"]);
    assert.deepEqual(done(await files.remove(["x/1"])), []);
    refused(await files.download("x/1"), 404);
    assert.equal(await textOf(done(await files.download("x/2"))), "x/2");
  });

  check("a copy keeps bytes and type, and replaces nothing", async ({ files }) => {
    done(await files.upload("from", content, { contentType: "application/x-test" }));
    const { path } = done(await files.copy("from", "deep/to"));
    assert.ok(path.endsWith("/deep/to"));
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
    assert.equal(done(await files.info("deep/to")).contentType, "application/x-test");
    done(await files.upload("other", "other"));
    refused(await files.copy("from", "other"), 409);
    assert.equal(await textOf(done(await files.download("other"))), "other");
  });

  check("a move takes the old key away, and replaces nothing", async ({ files }) => {
    done(await files.upload("from", content));
    done(await files.move("from", "deep/to"));
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
    refused(await files.download("from"), 404);
    done(await files.upload("other", "other"));
    refused(await files.move("deep/to", "other"), 409);
    assert.equal(await textOf(done(await files.download("other"))), "other");
    assert.deepEqual(await bytesOf(done(await files.download("deep/to"))), content);
  });

  check("a bucket is made, changed, emptied and removed", async ({ storage, bucket, files }) => {
    refused(await storage.createBucket(bucket), 409, /already exists/);
    const made = done(await storage.getBucket(bucket));
    assert.deepEqual([made.id, made.public, made.file_size_limit], [bucket, false, null]);
    done(
      await storage.updateBucket(bucket, {
        public: true,
        fileSizeLimit: 1000,
        allowedMimeTypes: ["text/*"],
      }),
    );
    const changed = done(await storage.getBucket(bucket));
    assert.deepEqual(
      [changed.public, changed.file_size_limit, changed.allowed_mime_types],
      [true, 1000, ["text/*"]],
    );
    assert.ok(done(await storage.listBuckets()).some((row) => row.id === bucket));
    done(await files.upload("a", "x", { contentType: "text/plain" }));
    refused(await storage.deleteBucket(bucket), 409, /not empty/);
    refused(await storage.createBucket("no/slash"), 400, /invalid/i);
  });

  check("a bucket's size limit holds for every kind of body", async ({ files }) => {
    const large = new Uint8Array(2001).fill(7);
    refused(await files.upload("raw", large), 413, /maximum allowed size/);
    refused(await files.upload("form", new Blob([large])), 413, /maximum allowed size/);
    refused(await files.download("raw"), 404);
    refused(await files.download("form"), 404);
    done(await files.upload("raw", large.subarray(0, 2000)));
    done(await files.upload("form", new Blob([large.subarray(0, 2000)])));
  }, { public: false, fileSizeLimit: 2000 });

  check("a bucket's MIME types hold", async ({ files }) => {
    refused(await files.upload("a", "x", { contentType: "image/png" }), 415);
    refused(await files.upload("a", new Blob(["x"], { type: "text/html" })), 415);
    done(await files.upload("a", "x", { contentType: "text/plain" }));
    done(await files.upload("b", new Blob(["x"], { type: "application/json" })));
  }, { public: false, allowedMimeTypes: ["text/plain", "application/*"] });

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
    refused(await strange.emptyBucket(bucket), 404);
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
    refused(await files.move("a", "../b"), 400);
    assert.deepEqual(done(await files.list()), []);
  });
}

type BucketOptions = Parameters<ReturnType<typeof clientOf>["storage"]["createBucket"]>[1];

/** Bytes of every value, over the sizes of buffers and of a multipart boundary's look-ahead. */
const content = Uint8Array.from({ length: 200_003 }, (_, i) => (i * 7919) >>> (i % 13));

/** The bodies that supabase-js sends in different ways. */
const bodies: Record<string, () => Uint8Array | Blob | FormData | ReadableStream<Uint8Array>> = {
  "byte array": () => content,
  "Blob": () => new Blob([content], { type: "application/vnd.apache.parquet" }),
  "form": () => {
    const form = new FormData();
    form.append("file", new Blob([content], { type: "application/vnd.apache.parquet" }), "a.bin");
    return form;
  },
  "stream": () => new Blob([content]).stream(),
};

function clientOf(url: string, key: string) {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });
}

/** One test's client and bucket. */
class Case {
  readonly bucket = `conformance-${crypto.randomUUID()}`;
  readonly storage;
  readonly files;
  readonly send: (method: string, path: string, init?: RequestInit) => Promise<Response>;

  constructor(readonly api: OpenedStorageApi) {
    this.storage = clientOf(api.url, api.secretKey).storage;
    this.files = this.storage.from(this.bucket);
    this.send = (method, path, init = {}) =>
      fetch(`${api.url}/storage/v1/${path}`, {
        ...init,
        method,
        headers: { apikey: api.secretKey, ...init.headers },
      });
  }

  async cleanUp(): Promise<void> {
    await this.storage.emptyBucket(this.bucket);
    await this.storage.deleteBucket(this.bucket);
  }
}

/** The data of an answer that must be a success. */
function done<T>(answer: { data: T | null; error: unknown }): T {
  assert.equal(answer.error, null, `${answer.error}`);
  assert.ok(answer.data !== null);
  return answer.data;
}

/** Asserts a refusal: the status stands in the body; that of HTTP is 400 or the same. */
function refused(
  answer: { error: unknown },
  statusCode: number,
  message: RegExp = /./,
): void {
  const error = answer.error as { status?: number; statusCode?: string; message?: string } | null;
  assert.ok(error, `should be refused with ${statusCode}`);
  assert.equal(error.statusCode, String(statusCode), error.message);
  assert.ok(error.status === 400 || error.status === statusCode, `HTTP ${error.status}`);
  assert.match(error.message ?? "", message);
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

async function textOf(blob: Blob): Promise<string> {
  return await blob.text();
}
