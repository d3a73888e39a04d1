/** Buckets and their limits. Part of the suite of the Storage API. */
import { strict as assert } from "node:assert";

import { type Check, done, refused } from "./case.ts";

/** Registers these checks. */
export function bucketChecks(check: Check): void {
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
}
