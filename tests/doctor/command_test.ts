import { strict as assert } from "node:assert";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { eventually } from "../support/eventually.ts";

/** Runs `deno task doctor`. */
async function doctor(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", fileURLToPath(new URL("../../supabase/doctor/main.ts", import.meta.url))],
      ...args,
    ],
    env: { SUPABASE_URL: "", SUPABASE_SECRET_KEY: "", SUPABASE_SECRET_KEYS: "", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, said: text(stdout), complained: text(stderr) };
}

interface Item {
  name: string;
  state: string;
}

Deno.test("the embedded stack has nothing red, its unknowns have names, and the exit code tells", async () => {
  const stateDir = await Deno.makeTempDir({ prefix: "sediment-doctor-" });
  await Deno.chmod(stateDir, 0o711);
  try {
    await using stack = await startStack({ stateDir, tickSeconds: 0.5 });
    const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
    await eventually("a tick", async () => {
      const [row] = await sql`select from cron.job_run_details d join cron.job j using (jobid)
        where j.jobname = 'sediment_tick' and d.status = 'succeeded'`;
      return row !== undefined;
    });

    const found = await doctor(["--state", stateDir, "--json"]);
    assert.equal(found.code, 0, found.said + found.complained);
    const items: Item[] = JSON.parse(found.said);
    // Unbundled functions can't tell their build; all else is seen.
    assert.deepEqual(
      items.filter(({ state }) => state !== "ok").map(({ name, state }) => [name, state]),
      [["versions", "unknown"]],
    );

    // Again, by the environment and in words: the user and the dataset of the first time are taken.
    const again = await doctor([], {
      SUPABASE_URL: stack.url,
      SUPABASE_SECRET_KEY: stack.secretKey,
    });
    assert.equal(again.code, 0, again.said);
    assert.match(again.said, /^16 ok, 0 wrong, 1 unknown$/m);
    const [{ datasets, users }] = await sql`
      select (select count(*)::int from public.datasets) as datasets,
        (select count(*)::int from auth.users) as users`;
    assert.deepEqual([datasets, users], [1, 1]);

    await sql`update storage.buckets set public = true where id = 'sediment'`;
    const broken = await doctor(["--url", stack.url, "--key", stack.secretKey]);
    assert.equal(broken.code, 1, broken.said);
    assert.match(broken.said, /^wrong +bucket +it is public.*\n +→ update storage\.buckets/m);
    await sql.end();
  } finally {
    await Deno.remove(stateDir, { recursive: true });
  }
});

Deno.test("without a deployment, or with an unknown option, doctor says how it is called", async () => {
  const nowhere = await doctor(["--state", "/nowhere"]);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.complained, /no deployment is named/);
  assert.equal((await doctor(["--hurry"])).code, 2);
});
