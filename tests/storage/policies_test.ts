/** Row-level security on storage.objects and storage.buckets decides what the Storage stand-in does for whom. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

import { createClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";

import { freshStandIn } from "./fresh_stand_in.ts";
import { publishableKey, secretKey } from "./serve_stand_in.ts";

const ann = "6a1c2f7e-0d6b-4a51-9e0c-2a2f4c0f0a01";
const bob = "6a1c2f7e-0d6b-4a51-9e0c-2a2f4c0f0b02";

/** As a dashboard's templates write them: users have a folder of their own, everybody may read `open/`. */
const policies = `
  create policy read_own on storage.objects for select to authenticated
    using (bucket_id = 'sediment' and (storage.foldername(name))[1] = auth.uid()::text);
  create policy read_open on storage.objects for select to anon, authenticated
    using (bucket_id = 'sediment' and name like 'open/%');
  create policy insert_own on storage.objects for insert to authenticated
    with check (bucket_id = 'sediment' and owner_id = auth.uid()::text
      and (storage.foldername(name))[1] = (auth.jwt() ->> 'sub'));`;
const mayUpdate = `
  create policy update_own on storage.objects for update to authenticated
    using ((storage.foldername(name))[1] = auth.uid()::text)
    with check ((storage.foldername(name))[1] = auth.uid()::text);`;
const mayDelete = `
  create policy delete_own on storage.objects for delete to authenticated
    using (owner = auth.uid());`;

type Files = ReturnType<ReturnType<typeof filesOf>>;

interface Case {
  sql: Sql;
  url: string;
  root: string;
  service: Files;
  ann: Files;
  bob: Files;
  anon: Files;
}

function filesOf(url: string) {
  return (key: string, bucket = "sediment") =>
    createClient(url, key, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    }).storage.from(bucket);
}

function check(name: string, run: (c: Case) => Promise<void>): void {
  Deno.test(name, async () => {
    const standIn = await freshStandIn();
    const sql = postgres(standIn.dbUrl, { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(policies);
      const files = filesOf(standIn.url);
      await run({
        sql,
        url: standIn.url,
        root: standIn.root,
        service: files(secretKey),
        ann: files(`user-${ann}`),
        bob: files(`user-${bob}`),
        anon: files(publishableKey),
      });
    } finally {
      await sql.end();
      await standIn.close();
    }
  });
}

check("a user writes where an insert policy allows, and nowhere else", async (c) => {
  assert.equal((await c.ann.upload(`${ann}/a`, "mine")).error, null);
  for (
    const answer of [
      await c.ann.upload(`${bob}/a`, "theirs"),
      await c.ann.upload("a", "nobody's"),
      await c.anon.upload(`${ann}/b`, "a stranger's"),
      await c.anon.upload("open/b", "readable is not writable"),
    ]
  ) {
    refused(answer, "403");
  }
  const rows = await c.sql`select name, owner_id, owner from storage.objects`;
  assert.deepEqual([...rows], [{ name: `${ann}/a`, owner_id: ann, owner: ann }]);
});

check("a refused upload leaves neither row nor bytes", async (c) => {
  const answer = await fetch(`${c.url}/storage/v1/object/sediment/x`, {
    method: "POST",
    headers: { apikey: publishableKey },
    body: new Uint8Array(100_000),
  });
  assert.equal((await answer.json()).statusCode, "403");
  assert.deepEqual([...await c.sql`select from storage.objects`], []);
  assert.deepEqual([...Deno.readDirSync(join(c.root, "versions"))], []);
});

check("who may only insert may drop things in, and see none of them", async (c) => {
  await c.sql.unsafe(`
    create policy drop_box on storage.objects for insert to anon
      with check (bucket_id = 'sediment' and name like 'drop/%')`);
  assert.equal((await c.anon.upload("drop/a", "x")).error, null);
  refused(await c.anon.upload("drop/a", "y"), "409");
  refused(await c.anon.upload("drop/b", "y", { upsert: true }), "403");
  refused(await c.anon.download("drop/a"), "404");
  assert.equal((await c.anon.createSignedUploadUrl("drop/b")).error, null);
  assert.equal(await textOf(c.service, "drop/a"), "x");
});

check("replacing needs an update policy as well, with PUT and with x-upsert", async (c) => {
  assert.equal((await c.ann.upload(`${ann}/a`, "first")).error, null);
  refused(await c.ann.upload(`${ann}/a`, "second"), "409");
  refused(await c.ann.upload(`${ann}/a`, "second", { upsert: true }), "403");
  refused(await c.ann.update(`${ann}/a`, "second"), "403");
  assert.equal(await textOf(c.ann, `${ann}/a`), "first");
  await c.sql.unsafe(mayUpdate);
  assert.equal((await c.ann.upload(`${ann}/a`, "second", { upsert: true })).error, null);
  assert.equal((await c.ann.update(`${ann}/a`, "third")).error, null);
  refused(await c.bob.update(`${ann}/a`, "bob's"), "403");
  assert.equal(await textOf(c.ann, `${ann}/a`), "third");
});

check("who may select may download, ask for info and copy out; others find nothing", async (c) => {
  await c.service.upload(`${ann}/a`, "mine");
  await c.service.upload("open/a", "everybody's");
  assert.equal(await textOf(c.ann, `${ann}/a`), "mine");
  assert.equal((await c.ann.info(`${ann}/a`)).data?.size, 4);
  for (const files of [c.bob, c.anon]) {
    refused(await files.download(`${ann}/a`), "404");
    refused(await files.info(`${ann}/a`), "404");
    refused(await files.copy(`${ann}/a`, `${bob}/a`), "404");
    refused(await files.move(`${ann}/a`, `${bob}/a`), "404");
    assert.equal((await files.exists(`${ann}/a`)).data, false);
    assert.equal(await textOf(files, "open/a"), "everybody's");
  }
  // Seen is enough to copy from, but the copy is an upload.
  assert.equal((await c.bob.copy("open/a", `${bob}/a`)).error, null);
  assert.equal(await textOf(c.bob, `${bob}/a`), "everybody's");
  refused(await c.bob.copy("open/a", `${ann}/b`), "403");
  refused(await c.anon.copy("open/a", "open/b"), "403");
});

check("a listing shows what the caller may select", async (c) => {
  for (const key of [`${ann}/a`, `${bob}/b`, "open/c", "hidden/d", "e"]) {
    await c.service.upload(key, key);
  }
  const seen = async (files: Files) => ({
    level: (await files.list()).data!.map((row) => row.name),
    all: (await files.listV2({})).data!.objects.map((row) => row.key ?? row.name),
    folded: (await files.listV2({ with_delimiter: true })).data!.folders.map((row) => row.name),
  });
  assert.deepEqual(await seen(c.ann), {
    level: [ann, "open"],
    all: [`${ann}/a`, "open/c"],
    folded: [`${ann}/`, "open/"],
  });
  assert.deepEqual(await seen(c.anon), { level: ["open"], all: ["open/c"], folded: ["open/"] });
  assert.equal((await seen(c.service)).all.length, 5);
});

check("deleting needs a delete policy, and takes only what it allows", async (c) => {
  assert.equal((await c.ann.upload(`${ann}/a`, "a")).error, null);
  assert.equal((await c.ann.upload(`${ann}/b`, "b")).error, null);
  await c.service.upload("open/a", "everybody's");
  assert.deepEqual((await c.ann.remove([`${ann}/a`])).data, []);
  await c.sql.unsafe(mayDelete);
  assert.deepEqual((await c.bob.remove([`${ann}/a`])).data, []);
  const removed = await c.ann.remove([`${ann}/a`, "open/a", "absent"]);
  assert.deepEqual(removed.data?.map((row) => row.name), [`${ann}/a`]);
  const one = (user: string, key: string) =>
    fetch(`${c.url}/storage/v1/object/sediment/${key}`, {
      method: "DELETE",
      headers: { apikey: `user-${user}` },
    }).then(async (answer) => (await answer.json()).message);
  assert.equal(await one(bob, `${ann}/b`), "Object not found");
  assert.equal(await one(ann, `${ann}/b`), "Successfully deleted");
  const left = await c.sql`select name from storage.objects`;
  assert.deepEqual(left.map((row) => row.name), ["open/a"]);
});

check("a move is an update of the row, and needs its policy at both ends", async (c) => {
  assert.equal((await c.ann.upload(`${ann}/a`, "a")).error, null);
  refused(await c.ann.move(`${ann}/a`, `${ann}/b`), "404");
  await c.sql.unsafe(mayUpdate);
  refused(await c.ann.move(`${ann}/a`, `${bob}/a`), "403");
  assert.equal((await c.ann.move(`${ann}/a`, `${ann}/b`)).error, null);
  assert.equal(await textOf(c.ann, `${ann}/b`), "a");
  refused(await c.ann.download(`${ann}/a`), "404");
});

check("a download URL needs select when it is signed, and nothing when it is used", async (c) => {
  await c.service.upload(`${ann}/a`, "mine");
  refused(await c.bob.createSignedUrl(`${ann}/a`, 60), "404");
  refused(await c.anon.createSignedUrl(`${ann}/a`, 60), "404");
  const many = (await c.bob.createSignedUrls([`${ann}/a`], 60)).data!;
  assert.deepEqual([many[0].signedUrl, /not exist/.test(many[0].error!)], [null, true]);
  const mine = (await c.ann.createSignedUrls([`${ann}/a`, `${bob}/a`], 60)).data!;
  assert.deepEqual(mine.map((row) => row.signedUrl !== null), [true, false]);
  const { signedUrl } = (await c.ann.createSignedUrl(`${ann}/a`, 60)).data!;
  await c.sql`drop policy read_own on storage.objects`;
  refused(await c.ann.download(`${ann}/a`), "404");
  for (const url of [signedUrl, mine[0].signedUrl!]) {
    assert.equal(await (await fetch(url)).text(), "mine");
  }
});

check("an upload URL needs insert when it is signed, and nothing when it is used", async (c) => {
  refused(await c.ann.createSignedUploadUrl(`${bob}/a`), "403");
  refused(await c.anon.createSignedUploadUrl(`${ann}/a`), "403");
  const { token } = (await c.ann.createSignedUploadUrl(`${ann}/a`)).data!;
  await c.sql`drop policy insert_own on storage.objects`;
  assert.equal((await c.anon.uploadToSignedUrl(`${ann}/a`, token, "signed")).error, null);
  const rows = await c.sql`select name, owner_id from storage.objects`;
  assert.deepEqual([...rows], [{ name: `${ann}/a`, owner_id: ann }]);
});

check("a resumable upload asks the policies at its beginning and at each part", async (c) => {
  const begin = (user: string) =>
    fetch(`${c.url}/storage/v1/upload/resumable`, {
      method: "POST",
      headers: {
        ...{ apikey: `user-${user}`, "tus-resumable": "1.0.0", "upload-length": "4" },
        "upload-metadata": `bucketName ${btoa("sediment")},objectName ${btoa(`${ann}/tus`)}`,
      },
    });
  const send = async (answer: Response) => {
    const part = await fetch(answer.headers.get("location")!, {
      method: "PATCH",
      headers: {
        ...{ apikey: `user-${ann}`, "tus-resumable": "1.0.0", "upload-offset": "0" },
        "content-type": "application/offset+octet-stream",
      },
      body: "four",
    });
    await part.body?.cancel();
    return part.status;
  };
  const refusal = await begin(bob);
  assert.deepEqual([refusal.status, await refusal.text()], [
    403,
    "new row violates row-level security policy",
  ]);
  const [first, second] = [await begin(ann), await begin(ann)];
  assert.equal(await send(first), 204);
  assert.equal(await textOf(c.ann, `${ann}/tus`), "four");
  const [row] = await c.sql`
    select owner_id, metadata ->> 'size' as size from storage.objects`;
  assert.deepEqual(row, { owner_id: ann, size: "4" });
  assert.equal(await send(second), 409, "the key is taken by now");
  await c.sql`drop policy insert_own on storage.objects`;
  assert.equal(await send(second), 403);
});

check("policies on storage.buckets decide who sees and changes buckets", async (c) => {
  const of = (key: string) => createClient(c.url, key, quiet).storage;
  const user = of(`user-${ann}`);
  assert.deepEqual((await user.listBuckets()).data, []);
  refused(await user.createBucket("hers"), "403");
  await c.sql.unsafe(`
    create policy own_buckets on storage.buckets to authenticated
      using (owner = auth.uid()) with check (owner = auth.uid())`);
  assert.equal((await user.createBucket("hers")).error, null);
  refused(await user.createBucket("hers"), "409");
  assert.deepEqual((await user.listBuckets()).data?.map((bucket) => bucket.id), ["hers"]);
  refused(await user.getBucket("sediment"), "404");
  refused(await user.deleteBucket("sediment"), "404");
  refused(await of(`user-${bob}`).updateBucket("hers", { public: true }), "404");
  // Seeing a bucket is no right to empty it.
  await filesOf(c.url)(secretKey, "hers").upload("open", "x");
  await c.sql`create policy read_hers on storage.objects for select using (bucket_id = 'hers')`;
  refused(await user.emptyBucket("hers"), "403");
  assert.equal(await textOf(filesOf(c.url)(secretKey, "hers"), "open"), "x");
});

check("a policy may ask which operation it is, and what the token says", async (c) => {
  await c.sql.unsafe(`
    create policy no_listing on storage.objects as restrictive for select to authenticated
      using (storage.operation() not like 'storage.object.list%'
        and current_setting('request.jwt.claim.sub') = auth.uid()::text
        and auth.role() = 'authenticated')`);
  await c.service.upload(`${ann}/a`, "mine");
  assert.equal(await textOf(c.ann, `${ann}/a`), "mine");
  assert.deepEqual((await c.ann.list(ann)).data, []);
});

check(
  "what a policy raises is told, and nothing of the caller stays in the connection",
  async (c) => {
    await c.sql.unsafe(`
    create function public.never() returns boolean language plpgsql as
      $$ begin raise exception 'not on Sundays'; end $$;
    create policy sundays on storage.objects for insert to anon with check (public.never())`);
    const { error } = await c.anon.upload("a", "x");
    assert.deepEqual([error?.message, (error as { status?: number }).status], [
      "not on Sundays",
      500,
    ]);
    // The pool has few connections: a role that was left in one would show within as many calls.
    for (let i = 0; i < 12; i++) {
      assert.equal((await c.service.upload(`k${i}`, "x")).error, null);
      refused(await c.anon.download(`k${i}`), "404");
    }
  },
);

const quiet = {
  auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
};

/** Asserts a refusal with the status that stands in the body. */
function refused(answer: { error: unknown }, statusCode: string): void {
  const error = answer.error as { statusCode?: string; message?: string } | null;
  assert.equal(error?.statusCode, statusCode, error?.message);
}

async function textOf(files: Files, key: string): Promise<string> {
  const { data, error } = await files.download(key);
  assert.equal(error, null);
  return await data!.text();
}
