/** Whatever is asked of the Storage stand-in, it refuses or answers; it never fails and never leaves its root. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

import postgres from "postgres";

import fc from "../support/fast_check.ts";

import { openStorageStandIn } from "../../supabase/local/storage/server.ts";
import { createStandInDatabase } from "./stand_in_database.ts";

const route = fc.constantFrom(
  ...[
    "object",
    "object/info",
    "object/public",
    "object/authenticated",
    "object/sign",
    "object/list",
  ],
  ...["object/upload/sign", "object/list-v2", "object/copy", "object/move", "bucket", "nowhere"],
  ...["upload/resumable", "upload/resumable/sign"],
);
const segment = fc.constantFrom(
  ...[
    "sediment",
    "sediment",
    "absent",
    "empty",
    "a",
    "b",
    "a/b",
    "..",
    ".",
    "",
    "%2e%2e",
    "~",
    "^",
  ],
  ...["..%2F..%2Fout", "%00", "%zz", "a%2Fb", "ü", "x".repeat(300), "a?token=x.y.z"],
);
const address = fc.oneof(
  fc.constant(["sediment"]),
  fc.constant(["sediment", "a"]),
  fc.array(segment, { maxLength: 3 }),
);
const key = fc.constantFrom(
  "a",
  "b",
  "a/b",
  "../a",
  "",
  "/",
  "a\0",
  "ü",
  "a/../../out",
  "x".repeat(2000),
);
const value = fc.oneof(
  key,
  fc.constantFrom(0, 1, -1, 1e9, 1.5, null, true, [], {}, "name", "desc", { column: "name" }),
  fc.array(key, { maxLength: 3 }),
);
const json = fc.dictionary(
  fc.constantFrom(
    ...[
      "prefixes",
      "paths",
      "expiresIn",
      "prefix",
      "limit",
      "offset",
      "sortBy",
      "search",
      "cursor",
    ],
    ...["bucketId", "sourceKey", "destinationKey", "destinationBucket", "id", "name", "public"],
    ...["file_size_limit", "allowed_mime_types", "with_delimiter", "copyMetadata", "metadata"],
  ),
  value,
).map((body) => JSON.stringify(body));
const body = fc.oneof(
  json,
  fc.constantFrom("", "{", "null", "[]", "x".repeat(5000), "--B\r\n\r\n"),
);
const oddHeaders = fc.dictionary(
  fc.constantFrom(
    ...["x-upsert", "range", "content-type", "content-length", "x-metadata", "if-none-match"],
    ...["tus-resumable", "upload-length", "upload-offset", "upload-metadata", "x-signature"],
  ),
  fc.constantFrom(
    ...[
      "true",
      "bytes=0-",
      "bytes=9-1",
      "multipart/form-data; boundary=B",
      "application/json",
      "-1",
    ],
    ...[
      "1.0.0",
      "application/offset+octet-stream",
      "5",
      "bucketName c2VkaW1lbnQ=,objectName YQ==",
      "x",
    ],
  ),
);
const creation = {
  "tus-resumable": "1.0.0",
  "upload-length": "5",
  "upload-metadata": "bucketName c2VkaW1lbnQ=,objectName dHVz",
  "x-upsert": "true",
};

/** Headers that are right for something, with some that aren't over them. */
const headers = fc.tuple(
  fc.constantFrom<Record<string, string>>({}, { range: "bytes=0-0" }, creation),
  oddHeaders,
).map(([right, odd]) => ({ ...right, ...odd }));

Deno.test("no request makes it fail or write outside of its root", async () => {
  const parent = await Deno.makeTempDir({ prefix: "sediment-fuzz-" });
  const urlOf = await createStandInDatabase();
  const sql = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  // The fuzzer may have changed or removed the bucket.
  const renew = () =>
    sql`
      insert into storage.buckets (id, name, public, file_size_limit)
      values ('sediment', 'sediment', true, 4000)
      on conflict (id) do update
      set public = true, file_size_limit = 4000, allowed_mime_types = null`;
  const standIn = await openStorageStandIn({
    root: join(parent, "root"),
    databaseUrl: urlOf("supabase_storage_admin"),
    authorize: () => ({ role: "service_role" }),
    signingSecret: "a secret of the tests that is long enough",
    publicUrl: "http://x/storage/v1",
  });
  const statuses = new Set<number>();
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        fc.tuple(route, address).map(([start, rest]) => [start, ...rest].join("/")),
        headers,
        body,
        async (method, path, headers, body) => {
          await renew();
          const there = new Request("http://x/object/sediment/a", { method: "PUT", body: "there" });
          assert.equal((await standIn.fetch(there)).status, 200);
          const answer = await standIn.fetch(
            new Request(`http://x/storage/v1/${path}`, {
              method,
              headers,
              body: method === "GET" || method === "HEAD" ? undefined : body,
            }),
          );
          await answer.body?.cancel();
          statuses.add(answer.status);
          assert.ok(answer.status < 500, `${answer.status}`);
        },
      ),
      {
        numRuns: 1500,
        examples: [
          ["POST", "upload/resumable", creation, ""],
          ["GET", "object/sediment/a", { range: "bytes=0-0" }, ""],
        ],
      },
    );
    const outside = (await Array.fromAsync(Deno.readDir(parent))).map((entry) => entry.name);
    assert.deepEqual(outside, ["root"]);
    const inside = (await Array.fromAsync(Deno.readDir(join(parent, "root")))).map((e) => e.name);
    assert.deepEqual(inside.sort(), ["resumable", "versions"]);
    assert.ok(
      [200, 201, 206, 400].every((status) => statuses.has(status)),
      `only ${[...statuses]}`,
    );
  } finally {
    await Promise.all([standIn.close(), sql.end()]);
    await Deno.remove(parent, { recursive: true });
  }
});
