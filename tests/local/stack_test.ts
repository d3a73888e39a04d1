import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { SedimentError } from "../../shared/errors.ts";
import { quietPort } from "../support/quiet_port.ts";
import { eventually } from "../support/eventually.ts";
import { signUp } from "../support/stack.ts";
import { migrationsFolder } from "./migrations_folder.ts";
import { processesOf } from "./started_process.ts";

const bare = { functions: false, cron: false };

Deno.test("a taken port is refused with the line that takes another, before anything starts", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stateDir = await Deno.makeTempDir();
  try {
    await assert.rejects(
      startStack({ ...bare, stateDir, port: taken.addr.port }),
      (error: SedimentError) => {
        assert.equal(error.code, "port_taken");
        assert.match(error.message, /deno task start --port \d+/);
        return true;
      },
    );
    assert.deepEqual([...Deno.readDirSync(stateDir)].map((e) => e.name), ["stack.lock"]);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("a temporary state folder is gone after stop()", async () => {
  const stack = await startStack({ ...bare, migrations: false });
  assert.ok((await Deno.stat(join(stack.stateDir, "keys.json"))).isFile);
  await stack.stop();
  await assert.rejects(Deno.stat(stack.stateDir), Deno.errors.NotFound);
});

Deno.test("stop() does not wait for a job that hangs", async () => {
  const stack = await startStack({ functions: false, migrations: false });
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  await sql`create extension pg_cron`;
  await sql`select cron.schedule('hangs', '1 seconds', 'select pg_sleep(3600)')`;
  await eventually("the job", async () => {
    return (await sql`select from cron.job_run_details where status = 'running'`).length > 0;
  });
  await sql.end();
  await stack.stop();
  assert.deepEqual(processesOf(stack.stateDir), []);
});

Deno.test("nobody else reads what is in the state folder, also of one that an older stack made", async () => {
  await using named = await namedStateDir();
  const { stateDir } = named;
  const migrationsDir = await migrationsFolder({
    "20250101000000_a.sql": "create table public.a (id int);",
  });
  const open = async (path: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      const inside = join(path, name);
      const closed = ((await Deno.stat(inside)).mode! & 0o077) === 0;
      if (!closed) found.push(inside);
      // what lies in a folder that is closed is out of reach
      if (isDirectory && !closed) found.push(...await open(inside));
    }
    return found;
  };
  await (await startStack({ ...bare, stateDir, migrationsDir })).stop();
  assert.deepEqual(await open(stateDir), []);
  for (const name of ["postgres", "postgres/postgres.log", "postgrest.log"]) {
    await Deno.chmod(join(stateDir, name), name === "postgres" ? 0o755 : 0o644);
  }
  await using stack = await startStack({ ...bare, stateDir, migrationsDir });
  assert.deepEqual(await open(stack.stateDir), []);
  const log = await Deno.stat(join(stateDir, "postgres", "postgres.log"));
  assert.equal(log.mode! & 0o777, 0o600);
});

Deno.test("objects are their owner's only, and so are the folders that they lie in", async () => {
  await using stack = await startStack({ ...bare, migrations: false });
  const headers = { apikey: stack.secretKey, "content-type": "application/json" };
  const storage = `${stack.url}/storage/v1`;
  const made = await fetch(`${storage}/bucket`, {
    method: "POST",
    headers,
    body: JSON.stringify({ id: "b", name: "b" }),
  });
  assert.equal(made.status, 200, await made.text());
  const put = await fetch(`${storage}/object/b/k`, { method: "POST", headers, body: "{}" });
  assert.equal(put.status, 200, await put.text());
  const root = join(stack.stateDir, "storage");
  const looked: string[] = [];
  const look = async (path: string) => {
    const { mode, isDirectory } = await Deno.stat(path);
    assert.equal(mode! & 0o777, isDirectory ? 0o700 : 0o600, path);
    looked.push(path);
    if (!isDirectory) return;
    for await (const entry of Deno.readDir(path)) await look(join(path, entry.name));
  };
  await look(root);
  assert.ok(looked.length >= 4, looked.join());
});

Deno.test("no command line of the stack holds a password", async () => {
  const seen = new Set<string>();
  let starting = true;
  const watch = (async () => {
    while (starting) {
      for await (const { name } of Deno.readDir("/proc")) {
        if (!/^\d+$/.test(name)) continue;
        seen.add(await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => ""));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const migrationsDir = await migrationsFolder({
    "20250101000000_a.sql": "create table public.a (id int);",
  });
  // Named: a temporary one may be the copy of a template, into which nothing is pushed any more.
  await using named = await namedStateDir();
  const { stateDir } = named;
  await using stack = await startStack({ ...bare, stateDir, migrationsDir });
  starting = false;
  await watch;
  const { passwords } = JSON.parse(await Deno.readTextFile(join(stack.stateDir, "keys.json")));
  assert.ok([...seen].some((line) => line.includes("db\0push")), "the push was not seen");
  const port = new URL(stack.dbUrl).port;
  for (const line of seen) {
    // Other tests run beside this one, and what they start is their own.
    if (line.includes(port)) {
      assert.doesNotMatch(line, /postgres(ql)?:\/\/[^:/\0]+:[^@\0]+@/, line);
    }
    for (const password of Object.values<string>(passwords)) assert.ok(!line.includes(password));
  }
});

Deno.test("migrations are applied once; a start applies only those that are new", async () => {
  const migrationsDir = await migrationsFolder({
    "20250101000000_a.sql": "create table public.a (id int);",
    "20250102000000_b.sql": "create table public.b (id int);",
  });
  const stateDir = await Deno.makeTempDir();
  await Deno.chmod(stateDir, 0o711);
  try {
    const migrated = async () => {
      await using stack = await startStack({ ...bare, stateDir, migrationsDir });
      const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
      const rows = await sql`select version from supabase_migrations.schema_migrations order by 1`;
      await sql.end();
      return [stack.migrated, rows.map((row) => row.version)];
    };
    const [a, b, c] = ["20250101000000", "20250102000000", "20250103000000"];
    assert.deepEqual(await migrated(), [[a, b], [a, b]]);
    assert.deepEqual(await migrated(), [[], [a, b]]);
    await Deno.writeTextFile(join(migrationsDir, `${c}_c.sql`), "create table public.c (id int);");
    assert.deepEqual(await migrated(), [[c], [a, b, c]]);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
    await Deno.remove(migrationsDir, { recursive: true });
  }
});

Deno.test("a broken migration fails the start with the database's words and leaves no process", async () => {
  const migrationsDir = await migrationsFolder({
    "20250101000000_broken.sql": "create table public.a (id no_such_type);",
  });
  const stateDir = await Deno.makeTempDir();
  await Deno.chmod(stateDir, 0o711);
  try {
    await assert.rejects(
      startStack({ ...bare, stateDir, migrationsDir }),
      (error: SedimentError) => {
        assert.equal(error.code, "part_failed");
        assert.match(error.message, /type "no_such_type" does not exist/);
        return true;
      },
    );
    assert.deepEqual(processesOf(stateDir), []);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
    await Deno.remove(migrationsDir, { recursive: true });
  }
});

Deno.test("after a restart on another port Vault holds the new address and users' tokens are good", async () => {
  const stateDir = await Deno.makeTempDir();
  await Deno.chmod(stateDir, 0o711);
  try {
    const first = await startStack({ ...bare, stateDir, migrations: false });
    const user = await signUp(first);
    await first.stop();
    await using second = await startStack({ ...bare, stateDir, migrations: false });
    const sql = postgres(second.dbUrl, { max: 1, onnotice: () => {} });
    const rows = await sql`
      select decrypted_secret from vault.decrypted_secrets where name = 'sediment_functions_url'`;
    await sql.end();
    assert.deepEqual(rows.map((row) => row.decrypted_secret), [`${second.url}/functions/v1`]);
    const response = await fetch(`${second.url}/auth/v1/user`, {
      headers: { apikey: second.publishableKey, authorization: `Bearer ${user.token}` },
    });
    assert.equal((await response.json()).id, user.id);
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("while it starts the gateway answers 503, not a refused connection", async () => {
  const port = quietPort();
  const starting = startStack({ ...bare, migrations: false, port });
  const statuses = new Set<number>();
  let up = false;
  const stack = starting.finally(() => up = true);
  while (!up) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/rest/v1/`);
      await response.body?.cancel();
      statuses.add(response.status);
    } catch {
      // Before the port is taken.
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await (await stack).stop();
  assert.ok(statuses.has(503), [...statuses].join());
});

/** A state folder that outlives its stack, until the test ends. */
async function namedStateDir() {
  const stateDir = await Deno.makeTempDir();
  await Deno.chmod(stateDir, 0o711);
  return { stateDir, [Symbol.asyncDispose]: () => Deno.remove(stateDir, { recursive: true }) };
}
