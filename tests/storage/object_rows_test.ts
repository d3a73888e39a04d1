/** What SQL sees in storage.objects of what the Storage stand-in does, and what it may do there. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";

import { createClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";

import { freshStandIn } from "./fresh_stand_in.ts";
import { secretKey } from "./serve_stand_in.ts";

async function withStandIn(
  run: (c: {
    sql: Sql;
    files: ReturnType<ReturnType<typeof createClient>["storage"]["from"]>;
    versions: () => string[];
    url: string;
  }) => Promise<void>,
) {
  const standIn = await freshStandIn();
  const sql = postgres(standIn.dbUrl, { max: 2, onnotice: () => {} });
  try {
    const { storage } = createClient(standIn.url, secretKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    });
    const versions = () =>
      [...Deno.readDirSync(join(standIn.root, "versions"))].map((entry) => entry.name).sort();
    await run({ sql, files: storage.from("sediment"), versions, url: standIn.url });
  } finally {
    await sql.end();
    await standIn.close();
  }
}

const md5 = (text: string) => `"${createHash("md5").update(text).digest("hex")}"`;

Deno.test("a row tells the size, ETag, type and times of what was uploaded", () =>
  withStandIn(async ({ sql, files, versions }) => {
    const before = Date.now() - 1000;
    const { data } = await files.upload("in/a.txt", "hello", {
      contentType: "text/plain",
      cacheControl: "60",
      metadata: { from: "test" },
    });
    const [row] = await sql`select * from storage.objects`;
    assert.equal(row.id, data!.id);
    assert.deepEqual([row.bucket_id, row.name, row.path_tokens], [
      "sediment",
      "in/a.txt",
      ["in", "a.txt"],
    ]);
    const { lastModified, ...metadata } = row.metadata;
    assert.deepEqual(metadata, {
      eTag: md5("hello"),
      size: 5,
      mimetype: "text/plain",
      cacheControl: "max-age=60",
      contentLength: 5,
      httpStatusCode: 200,
    });
    assert.deepEqual(row.user_metadata, { from: "test" });
    for (const time of [lastModified, row.created_at, row.updated_at, row.last_accessed_at]) {
      assert.ok(new Date(time).getTime() >= before, String(time));
    }
    assert.deepEqual([row.owner, row.owner_id], [null, null]);
    assert.deepEqual(versions(), [row.version]);
  }));

Deno.test("a replaced object keeps its row, under a new version, and only the new bytes", () =>
  withStandIn(async ({ sql, files, versions }) => {
    await files.upload("a", "first");
    const [before] = await sql`select * from storage.objects`;
    await files.update("a", "second!");
    const [after] = await sql`select * from storage.objects`;
    assert.deepEqual([after.id, after.created_at], [before.id, before.created_at]);
    assert.ok(after.updated_at > before.updated_at);
    assert.notEqual(after.version, before.version);
    assert.deepEqual([after.metadata.size, after.metadata.eTag], [7, md5("second!")]);
    assert.deepEqual(versions(), [after.version]);
  }));

Deno.test("copies and moves leave the rows and the bytes that they should", () =>
  withStandIn(async ({ sql, files, versions }) => {
    await files.upload("a", "bytes", { contentType: "text/plain", metadata: { n: 1 } });
    await files.copy("a", "b");
    await files.move("a", "c/d");
    const rows = await sql`select name, version, metadata, user_metadata from storage.objects
      order by name`;
    assert.deepEqual(rows.map((row) => row.name), ["b", "c/d"]);
    for (const { metadata, user_metadata } of rows) {
      assert.deepEqual([metadata.size, metadata.eTag, metadata.mimetype, user_metadata], [
        5,
        md5("bytes"),
        "text/plain",
        { n: 1 },
      ]);
    }
    assert.deepEqual(versions(), rows.map((row) => row.version).sort());
    await files.remove(["b", "c/d"]);
    assert.deepEqual([...await sql`select from storage.objects`], []);
    assert.deepEqual(versions(), []);
  }));

Deno.test("uploads of one new key at once leave one row and its bytes", () =>
  withStandIn(async ({ sql, files, versions }) => {
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => files.upload("same", `body ${n}`, { upsert: true })),
    );
    const rows = await sql`select version, metadata from storage.objects`;
    assert.equal(rows.length, 1);
    assert.deepEqual(versions(), [rows[0].version]);
    const text = await (await files.download("same")).data!.text();
    assert.equal(rows[0].metadata.eTag, md5(text));
  }));

Deno.test("a reader sees the old object or the new one while it is replaced", () =>
  withStandIn(async ({ files }) => {
    await files.upload("k", "0".repeat(1000));
    let going = true;
    const writer = (async () => {
      for (let i = 1; i < 40; i++) await files.update("k", String(i % 10).repeat(1000 + i));
      going = false;
    })();
    while (going) {
      const { data, error } = await files.download("k");
      assert.equal(error, null, "an object that is replaced is never missing");
      assert.equal(new Set(await data!.text()).size, 1, "bytes of two objects");
    }
    await writer;
  }));

Deno.test("SQL may not delete rows behind the API's back, unless it says so", () =>
  withStandIn(async ({ sql, files }) => {
    await files.upload("a", "x");
    await assert.rejects(
      Promise.resolve(sql`delete from storage.objects`),
      /Direct deletion from storage tables is not allowed. Use the Storage API instead/,
    );
    await assert.rejects(Promise.resolve(sql`delete from storage.buckets`), /Direct deletion/);
    await sql.begin(async (tx) => {
      await tx`select set_config('storage.allow_delete_query', 'true', true)`;
      await tx`delete from storage.objects`;
    });
    assert.equal((await files.exists("a")).data, false);
    assert.equal((await files.upload("a", "anew")).error, null);
  }));

Deno.test("a row that SQL has made has no bytes, and leads to none of others", () =>
  withStandIn(async ({ sql, files, versions }) => {
    await files.upload("a", "x");
    for (const version of [null, "1", "../../keys.json"]) {
      await sql`insert into storage.objects (bucket_id, name, version)
        values ('sediment', 'b', ${version})`;
      const { error } = await files.download("b");
      assert.equal((error as { statusCode?: string }).statusCode, "404");
      assert.equal((await files.copy("b", "c")).error?.message, "Object not found");
      assert.deepEqual((await files.remove(["b"])).data?.map((row) => row.name), ["b"]);
    }
    assert.equal(versions().length, 1);
  }));

Deno.test("usage per bucket is a query", () =>
  withStandIn(async ({ sql, files }) => {
    await files.upload("a", "12345");
    await files.upload("b", "678");
    const rows = await sql`select size::int, bucket_id from storage.get_size_by_bucket()`;
    assert.deepEqual([...rows], [{ size: 8, bucket_id: "sediment" }]);
  }));

Deno.test("storage.search lists one level, whatever the case, by name or by time", () =>
  withStandIn(async ({ sql, files }) => {
    for (const key of ["p/b", "P/A", "p/d/x", "p/d/y", "p/c", "q/z"]) await files.upload(key, key);
    const names = async (column: string, order: string, search = "", limit = 100, offset = 0) =>
      (await sql`select name from storage.search('p/', 'sediment', ${limit}, 2, ${offset},
        ${search}, ${column}, ${order})`).map((row) => row.name);
    assert.deepEqual(await names("name", "asc"), ["A", "b", "c", "d"]);
    assert.deepEqual(await names("name", "desc"), ["d", "c", "b", "A"]);
    assert.deepEqual(await names("created_at", "asc"), ["d", "b", "A", "c"]);
    assert.deepEqual(await names("updated_at", "desc"), ["d", "c", "A", "b"]);
    assert.deepEqual(await names("name", "asc", "B"), ["b"]);
    assert.deepEqual(await names("name", "asc", "", 2, 1), ["b", "c"]);
    // What LIKE would take for a pattern is a letter as any other.
    assert.deepEqual(await names("name", "asc", "%"), []);
    assert.deepEqual(await names("name", "asc", "_"), []);
  }));
