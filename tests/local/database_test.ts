import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../supabase/local/stack.ts";

let stack: Stack;
/** Role postgres, as migrations run. */
let sql: Sql;
let admin: Sql;
Deno.test.beforeAll(async () => {
  stack = await startStack({ migrations: false, functions: false, cron: false });
  sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  admin = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
});
Deno.test.afterAll(async () => {
  await sql.end();
  await admin.end();
  await stack.stop();
});

Deno.test("postgres is no superuser, bypasses RLS and may make roles, as hosted", async () => {
  const [role] = await sql`
    select rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = current_user`;
  assert.deepEqual({ ...role }, { rolsuper: false, rolbypassrls: true, rolcreaterole: true });
  await assert.rejects(sql`create extension file_fdw`, { code: "42501" });
});

Deno.test("postgres creates the extensions of a hosted project, again without an error", async () => {
  for (let round = 0; round < 2; round++) {
    await sql.unsafe(`
      create extension if not exists pgmq;
      create extension if not exists pg_cron with schema pg_catalog;
      create extension if not exists pg_net with schema extensions;
      create extension if not exists supabase_vault with schema vault;
      create extension if not exists pgtap with schema extensions;
      create extension if not exists pgcrypto with schema extensions;`).simple();
  }
  const rows = await sql`select extname from pg_extension order by extname`;
  const names = rows.map((row) => row.extname);
  for (const name of ["pg_cron", "pg_net", "pgmq", "pgtap", "supabase_vault"]) {
    assert.ok(names.includes(name), name);
  }
});

Deno.test("pgmq queues belong to postgres and take messages", async () => {
  await sql`create extension if not exists pgmq`;
  await sql`select pgmq.create('tried')`;
  await sql`select pgmq.send('tried', '{"a": 1}'::jsonb)`;
  const [message] = await sql`select * from pgmq.read('tried', 30, 1)`;
  assert.deepEqual(message.message, { a: 1 });
});

Deno.test("Vault keeps a secret by name, which anon and authenticated can't read", async () => {
  const [{ id }] = await sql`select vault.create_secret('first', 'a_name', 'for a test') as id`;
  await sql`select vault.update_secret(${id}, 'second')`;
  const [row] = await sql`
    select name, decrypted_secret from vault.decrypted_secrets where name = 'a_name'`;
  assert.deepEqual({ ...row }, { name: "a_name", decrypted_secret: "second" });
  await assert.rejects(sql`select vault.create_secret('other', 'a_name')`, { code: "23505" });
  for (const role of ["anon", "authenticated"]) {
    await assert.rejects(
      admin.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        await tx`select * from vault.decrypted_secrets`;
      }),
      { code: "42501" },
      role,
    );
  }
});

Deno.test("the starter puts the functions' address and the cron key into Vault", async () => {
  const rows = await sql`
    select name, decrypted_secret from vault.decrypted_secrets where name like 'sediment%'
    order by name`;
  assert.deepEqual(rows.map((row) => [row.name, row.decrypted_secret]), [
    ["sediment_cron_key", stack.cronKey],
    ["sediment_functions_url", `${stack.url}/functions/v1`],
  ]);
});

Deno.test("a new table gives the API's roles nothing until it is granted", async () => {
  await sql`create table if not exists public.bare (id int)`;
  for (const role of ["anon", "authenticated", "service_role"]) {
    const [{ may }] =
      await sql`select has_table_privilege(${role}, 'public.bare', 'select') as may`;
    assert.equal(may, false, role);
  }
});

Deno.test("a migration can insert a bucket and write a policy on storage.objects", async () => {
  await sql`
    insert into storage.buckets (id, name, public, file_size_limit) values ('b', 'b', false, 100)
    on conflict (id) do nothing`;
  await sql`
    create policy readers on storage.objects for select to authenticated
    using (bucket_id = 'b' and (storage.foldername(name))[1] = (select auth.uid())::text)`;
  const [{ folder }] = await sql`select storage.foldername('x/y/z.bin') as folder`;
  assert.deepEqual(folder, ["x", "y"]);
});

Deno.test("text is compared as hosted does it, by ICU en-US", async () => {
  const rows = await sql`select t from (values ('b'), ('B'), ('a')) v(t) order by t`;
  assert.deepEqual(rows.map((row) => row.t), ["a", "b", "B"]);
});
