/** The Storage stand-in killed with -9 at any point: the old object or the new one, never a part. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";

import postgres from "postgres";

import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { eventually } from "../support/eventually.ts";
import { secretKey } from "./serve_stand_in.ts";
import { createStandInDatabase } from "./stand_in_database.ts";

/** Starts the stand-in as a process of its own. */
async function start(root: string, databaseUrl: string) {
  const script = new URL("./stand_in_process.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, root, databaseUrl],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  return {
    url: value!.trim(),
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
    },
  };
}

/** A body whose last 32 bytes are the SHA-256 of the rest: a part or a mixture can't pass for whole. */
function sealed(version: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(100_000 + version * 150_000).fill(version + 1);
  bytes.set(createHash("sha256").update(bytes.subarray(0, -32)).digest(), bytes.length - 32);
  return bytes;
}

function isSealed(bytes: Uint8Array): boolean {
  const digest = createHash("sha256").update(bytes.subarray(0, -32)).digest();
  return digest.every((byte, i) => byte === bytes[bytes.length - 32 + i]);
}

Deno.test("kill -9 amid uploads leaves whole objects only, and what was acknowledged", async () => {
  const root = await Deno.makeTempDir({ prefix: "sediment-crash-" });
  const urlOf = await createStandInDatabase();
  const databaseUrl = urlOf("supabase_storage_admin");
  try {
    let acknowledged = 0; // puts that came back before a kill, over all rounds
    let cut = 0; // puts that a kill cut off
    for (let round = 0; round < 4; round++) {
      const standIn = await start(root, databaseUrl);
      const store = createSupabaseStore({ url: standIn.url, secretKey, bucket: "sediment" });
      const known = new Set<string>();
      const writers = Array.from({ length: 6 }, async (_, writer) => {
        for (let version = 0;; version++) {
          try {
            await store.put(`w${writer}`, sealed(version % 8), { upsert: true });
            known.add(`w${writer}`); // from here on it may be replaced, but not be missing
            await store.put(`r${round}/w${writer}/${version}`, sealed(version % 3));
            known.add(`r${round}/w${writer}/${version}`);
            acknowledged++;
          } catch {
            cut++;
            return;
          }
        }
      });
      // Killed at another point of the work each time.
      let ended = false;
      const writing = Promise.all(writers).finally(() => ended = true);
      while (known.size < 12 + round * 3 && !ended) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await standIn.kill();
      await writing;

      const again = await start(root, databaseUrl);
      const reader = createSupabaseStore({ url: again.url, secretKey, bucket: "sediment" });
      try {
        const { objects } = await reader.list("");
        for (const { key, size } of objects) {
          const bytes = await reader.get(key);
          assert.equal(bytes.byteLength, size, key);
          assert.ok(isSealed(bytes), `${key} is a part of something`);
        }
        const keys = new Set(objects.map((object) => object.key));
        for (const key of known) assert.ok(keys.has(key), `${key} was acknowledged and is gone`);
        assert.equal(
          (await Array.fromAsync(Deno.readDir(join(root, "versions")))).length,
          keys.size,
        );
      } finally {
        await again.kill();
      }
    }
    assert.ok(acknowledged > 0 && cut > 0, `${acknowledged} came back, ${cut} were cut off`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("a resumable upload goes on after kill -9, and its end makes one object", async () => {
  const root = await Deno.makeTempDir({ prefix: "sediment-crash-" });
  const urlOf = await createStandInDatabase();
  const databaseUrl = urlOf("supabase_storage_admin");
  const body = sealed(20);
  const half = body.length >> 1;
  const encode = (text: string) => btoa(text);
  const headers = { "tus-resumable": "1.0.0", apikey: secretKey };
  const patch = (url: string, offset: number, bytes: Uint8Array<ArrayBuffer>) =>
    fetch(url, {
      method: "PATCH",
      headers: {
        ...headers,
        "upload-offset": String(offset),
        "content-type": "application/offset+octet-stream",
      },
      body: bytes,
    });
  let standIn = await start(root, databaseUrl);
  try {
    const created = await fetch(`${standIn.url}/storage/v1/upload/resumable`, {
      method: "POST",
      headers: {
        ...headers,
        "upload-length": String(body.length),
        "upload-metadata": `bucketName ${encode("sediment")},objectName ${encode("tus")}`,
      },
    });
    const path = new URL(created.headers.get("location")!).pathname;
    assert.equal((await patch(standIn.url + path, 0, body.subarray(0, half))).status, 204);
    await standIn.kill();

    standIn = await start(root, databaseUrl);
    const head = await fetch(standIn.url + path, { method: "HEAD", headers });
    assert.equal(head.headers.get("upload-offset"), String(half));
    // As if killed between the last byte and the row: all has come, and is a version that no row points at.
    await standIn.kill();
    const [record] = (await Array.fromAsync(Deno.readDir(join(root, "resumable"))))
      .filter((entry) => entry.name.endsWith(".bin"));
    const came = join(root, "resumable", record.name);
    await Deno.writeFile(came, body);
    await Deno.link(came, join(root, "versions", record.name.replace(".bin", "")));

    standIn = await start(root, databaseUrl);
    const done = await fetch(standIn.url + path, { method: "HEAD", headers });
    assert.equal(done.headers.get("upload-offset"), String(body.length));
    const store = createSupabaseStore({ url: standIn.url, secretKey, bucket: "sediment" });
    assert.ok(isSealed(await store.get("tus")));
    const once = await fetch(standIn.url + path, { method: "HEAD", headers });
    assert.equal(once.headers.get("upload-offset"), String(body.length));
  } finally {
    await standIn.kill();
    await Deno.remove(root, { recursive: true });
  }
});

for (const replaced of [false, true]) {
  const what = replaced ? "the row of the object before" : "no row";
  Deno.test(`kill -9 between bytes and row leaves ${what}, and the bytes are swept`, async () => {
    const root = await Deno.makeTempDir({ prefix: "sediment-crash-" });
    const urlOf = await createStandInDatabase();
    const sql = postgres(urlOf("postgres"), { max: 2, onnotice: () => {} });
    const versions = async () =>
      (await Array.fromAsync(Deno.readDir(join(root, "versions")))).map((entry) => entry.name);
    let standIn = await start(root, urlOf("supabase_storage_admin"));
    const put = (body: BodyInit) =>
      fetch(`${standIn.url}/storage/v1/object/sediment/k`, {
        method: "PUT",
        headers: { apikey: secretKey },
        body,
        duplex: "half",
      } as RequestInit);
    try {
      if (replaced) await (await put("old")).body?.cancel();
      const before = await versions();
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const cut = put(readable).then((answer) => answer.status, () => "cut off");
      await writer.write(new TextEncoder().encode("whole"));
      // It is past the test of permission once a version is begun; from here on no row can be written.
      await eventually(
        "the version is begun",
        async () => (await versions()).length > before.length,
      );
      const [version] = (await versions()).filter((name) => !before.includes(name));
      const waiting = async () =>
        (await sql`
          select from pg_stat_activity where application_name = 'storage stand-in'
            and datname = current_database() and wait_event_type = 'Lock'`).length;
      await sql.begin(async (tx) => {
        await tx`lock table storage.objects in share mode`;
        await writer.close();
        await eventually("its row waits", async () => await waiting() === 1);
        assert.equal(await Deno.readTextFile(join(root, "versions", version)), "whole");
        await standIn.kill();
        assert.equal(await cut, "cut off");
        // The server still waits to write the row of the dead; the next start ends that before it sweeps.
        assert.equal(await waiting(), 1);
        standIn = await start(root, urlOf("supabase_storage_admin"));
        assert.deepEqual([await waiting(), await versions()], [0, before]);
      });
      const rows = await sql`select version from storage.objects`;
      assert.deepEqual(rows.map((row) => row.version), before);
      const store = createSupabaseStore({ url: standIn.url, secretKey, bucket: "sediment" });
      const bytes = replaced ? new TextDecoder().decode(await store.get("k")) : null;
      assert.equal(bytes, replaced ? "old" : null);
    } finally {
      await standIn.kill();
      await sql.end();
      await Deno.remove(root, { recursive: true });
    }
  });
}

Deno.test("kill -9 between the end of a row and of its bytes leaves no bytes", async () => {
  const root = await Deno.makeTempDir({ prefix: "sediment-crash-" });
  const urlOf = await createStandInDatabase();
  const sql = postgres(urlOf("postgres"), { max: 1, onnotice: () => {} });
  let standIn = await start(root, urlOf("supabase_storage_admin"));
  try {
    const store = createSupabaseStore({ url: standIn.url, secretKey, bucket: "sediment" });
    await store.put("kept", new Uint8Array(10));
    await store.put("gone", new Uint8Array(10));
    await standIn.kill();
    await sql.begin(async (tx) => {
      await tx`select set_config('storage.allow_delete_query', 'true', true)`;
      await tx`delete from storage.objects where name = 'gone'`;
    });
    standIn = await start(root, urlOf("supabase_storage_admin"));
    const [{ version }] = await sql`select version from storage.objects`;
    const left = await Array.fromAsync(Deno.readDir(join(root, "versions")));
    assert.deepEqual(left.map((entry) => entry.name), [version]);
  } finally {
    await standIn.kill();
    await sql.end();
    await Deno.remove(root, { recursive: true });
  }
});
