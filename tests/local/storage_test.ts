/** Storage as a part of the stack: its keys and users' tokens under policies, and a state folder over starts. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

import postgres from "postgres";

import { SedimentError } from "../../shared/errors.ts";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { anonClient, serviceClient, signUp } from "../support/stack.ts";
import { processesOf } from "./started_process.ts";

const bare = { functions: false, cron: false, migrations: false };

async function withSql<T>(url: string, run: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await run(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const makeBucket = (stack: Stack) =>
  withSql(stack.dbUrl, async (sql) => {
    await sql`insert into storage.buckets (id, name) values ('b', 'b')`;
  });

Deno.test("policies see the key's role, and the user and claims of a token", async () => {
  await using stack = await startStack(bare);
  await makeBucket(stack);
  const user = await signUp(stack);
  await withSql(stack.dbUrl, (sql) =>
    sql.unsafe(`
      create policy own on storage.objects to authenticated
        using (owner = auth.uid())
        with check (owner_id = auth.uid()::text and auth.jwt() ->> 'email' = '${user.email}');
      create policy open on storage.objects for select to anon using (name like 'open/%')`));
  const files = (client: typeof user.client) => client.storage.from("b");
  const [service, anon] = [serviceClient(stack), anonClient(stack)];

  assert.equal((await files(user.client).upload("open/mine", "mine")).error, null);
  assert.equal((await files(service).upload("theirs", "theirs")).error, null);
  assert.match((await files(anon).upload("open/no", "x")).error!.message, /row-level security/);
  const seen = async (client: typeof user.client) =>
    (await files(client).listV2({})).data!.objects.map((row) => row.key ?? row.name);
  assert.deepEqual(await seen(user.client), ["open/mine"]);
  assert.deepEqual(await seen(anon), ["open/mine"]);
  assert.deepEqual(await seen(service), ["open/mine", "theirs"]);
  assert.equal(await (await files(anon).download("open/mine")).data!.text(), "mine");
  assert.deepEqual((await files(anon).remove(["open/mine"])).data, []);
  assert.equal((await files(user.client).remove(["open/mine", "theirs"])).data!.length, 1);
  assert.deepEqual(await seen(service), ["theirs"]);
});

Deno.test("objects are there after a restart, and the stand-in's own schema is not the users'", async () => {
  const stateDir = await Deno.makeTempDir();
  await Deno.chmod(stateDir, 0o711);
  try {
    const first = await startStack({ ...bare, stateDir });
    await makeBucket(first);
    const { error } = await serviceClient(first).storage.from("b").upload("k", "kept");
    assert.equal(error, null);
    await first.stop();
    await using second = await startStack({ ...bare, stateDir });
    const { data } = await serviceClient(second).storage.from("b").download("k");
    assert.equal(await data!.text(), "kept");
    await withSql(second.adminDbUrl, async (sql) => {
      for (const role of ["anon", "authenticated", "service_role", "public"]) {
        const [{ may }] = await sql`
          select has_schema_privilege(${role}, 'storage_stand_in', 'usage') as may`;
        assert.equal(may, false, role);
      }
    });
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

for (
  const [what, makeOlder] of Object.entries({
    "whose objects have no rows": async (stateDir: string) => {
      const folder = join(stateDir, "storage", "objects", "b");
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(join(folder, "k~"), "bytes");
    },
    "whose database was made before": (_: string, stack: Stack) =>
      withSql(stack.adminDbUrl, async (sql) => {
        await sql`drop function storage.protect_delete() cascade`;
      }),
  })
) {
  Deno.test(`a state folder of an older version, ${what}, is refused until --reset`, async () => {
    const stateDir = await Deno.makeTempDir();
    await Deno.chmod(stateDir, 0o711);
    try {
      const stack = await startStack({ ...bare, stateDir });
      await makeOlder(stateDir, stack);
      await stack.stop();
      await assert.rejects(startStack({ ...bare, stateDir }), (error: SedimentError) => {
        assert.equal(error.code, "part_failed");
        assert.match(error.message, /older version/);
        assert.match(error.message, /deno task start --reset/);
        return true;
      });
      assert.deepEqual(processesOf(stateDir), []);
      await using again = await startStack({ ...bare, stateDir, reset: true });
      assert.deepEqual((await serviceClient(again).storage.listBuckets()).data, []);
    } finally {
      await Deno.remove(stateDir, { recursive: true });
    }
  });
}
