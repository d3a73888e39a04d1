import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { multisetDifference, openDuckdb, readParquet } from "../support/duckdb.ts";
import { type Fragment, makeFragments } from "../support/fragments.ts";
import {
  type KillableOptions,
  type KillableStack,
  startKillable,
} from "../support/killable_stack.ts";
import { quietPort } from "../support/quiet_port.ts";

const count = 6;
/** Fragments on disk, a state folder, and whatever stack runs on it; all gone at the end. */
async function withState(
  action: (state: {
    fragments: Fragment[];
    dataset: string;
    start(some?: Partial<KillableOptions>): Promise<KillableStack>;
    assertSameRows(stack: KillableStack, user: TestUser): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sediment-kill-" });
  // PostgreSQL runs as another user when this one is root.
  await Deno.chmod(folder, 0o711);
  const stateDir = join(folder, "state");
  const duckdb = await openDuckdb();
  let running: KillableStack | undefined;
  const port = quietPort();
  try {
    const all = await makeFragments(folder, count * 3, 100, undefined, duckdb);
    const fragments = all.filter(({ table }) => table === "battles");
    const dataset = crypto.randomUUID();
    await action({
      fragments,
      dataset,
      async start(some = {}) {
        return running = await startKillable({ stateDir, port, ...some });
      },
      async assertSameRows(stack, user) {
        const files = await manifestOf(stack, user, dataset);
        const paths: string[] = [];
        for (const [n, file] of files.entries()) {
          const response = await fetch(file.url);
          assert.equal(response.status, 200, `${file.url} is listed and can't be read`);
          paths.push(join(folder, `${crypto.randomUUID()}-${n}.parquet`));
          await Deno.writeFile(paths[n], await response.bytes());
        }
        const difference = await multisetDifference(
          duckdb,
          readParquet(fragments.map(({ path }) => path)),
          readParquet(paths),
        );
        assert.deepEqual(difference, { onlyLeft: 0, onlyRight: 0 });
      },
    });
  } finally {
    await running?.kill();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
}

async function manifestOf(stack: KillableStack, user: TestUser, dataset: string) {
  const { body } = await call(
    stack,
    "GET",
    `/battle-data/latest?dataset_id=${dataset}&limit=1000`,
    {
      headers: user.headers,
    },
  );
  return body.files as { url: string; level: number }[];
}

async function describe(dataset: string, fragment: Fragment) {
  const bytes = await Deno.readFile(fragment.path);
  const metadata = {
    dataset_id: dataset,
    table: fragment.table,
    period_tag: fragment.periodTag,
    file_size: bytes.length,
    content_hash: sha256(bytes),
  };
  return { bytes, metadata };
}

async function upload(stack: KillableStack, user: TestUser, dataset: string, fragment: Fragment) {
  const { bytes, metadata } = await describe(dataset, fragment);
  const answer = await call(stack, "POST", "/battle-data/upload", {
    headers: user.headers,
    body: uploadForm(metadata, bytes),
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** Waits until a partition is one file; asked by hand, since a run that began early leaves few behind. */
async function compacted(stack: KillableStack, user: TestUser, dataset: string) {
  const asked = await call(stack, "POST", "/compaction", {
    headers: user.headers,
    json: { datasetId: dataset, table: "battles", periodTag: "2024-11-25" },
  });
  assert.equal(asked.status, 202, JSON.stringify(asked.body));
  await until("one file", 40, async () => {
    const files = await manifestOf(stack, user, dataset);
    return files.length === 1 && files[0].level > 0;
  });
}

/** The same without cron: ends the lease of the dead worker, as time would, and takes turns. */
async function compactedByHand(stack: KillableStack, user: TestUser, dataset: string) {
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`update public.partitions set lease_expires_at = clock_timestamp()
      where lease_expires_at is not null`;
    await until("no fragment is left", 40, async () => {
      await sql`select public.expire_leases()`;
      const turn = await call(stack, "POST", "/compactor", {
        headers: { apikey: stack.secretKey },
      });
      assert.equal(turn.status, 200, JSON.stringify(turn.body));
      const files = await manifestOf(stack, user, dataset);
      return files.every(({ level }) => level > 0);
    });
  } finally {
    await sql.end();
  }
}

/** Every object that the store holds is in the catalog's books; what is not visible is on its way out. */
async function assertNoOrphan(stack: KillableStack, stored: string[]): Promise<void> {
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    const known = await sql<{ object_key: string; state: string }[]>`
      select object_key, state from public.objects`;
    const states = new Map(known.map((row) => [row.object_key, row.state]));
    for (const key of stored) assert.ok(states.has(key), `${key} is in no book`);
    const visible = await sql<{ object_key: string }[]>`
      select object_key from public.battle_files where removed_version is null`;
    for (const { object_key } of visible) {
      assert.equal(states.get(object_key), "stored", object_key);
      assert.ok(stored.includes(object_key), `${object_key} is visible and not there`);
    }
  } finally {
    await sql.end();
  }
}

async function storedKeys(stack: KillableStack, prefix = ""): Promise<string[]> {
  const response = await fetch(`${stack.url}/storage/v1/object/list/sediment`, {
    method: "POST",
    headers: {
      apikey: stack.secretKey,
      authorization: `Bearer ${stack.secretKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ prefix, limit: 1000 }),
  });
  const keys: string[] = [];
  for (const row of await response.json() as { name: string; id: string | null }[]) {
    const path = prefix === "" ? row.name : `${prefix}/${row.name}`;
    keys.push(...row.id === null ? await storedKeys(stack, path) : [path]);
  }
  return keys;
}

Deno.test("kill -9 of everything between upload and compaction loses no row", async () => {
  await withState(async ({ fragments, dataset, start, assertSameRows }) => {
    const first = await start({ cron: false });
    const user = await signUp(first, "kill@example.com");
    for (const fragment of fragments) await upload(first, user, dataset, fragment);
    await first.kill();

    const second = await start();
    await compacted(second, user, dataset);
    await assertSameRows(second, user);
    await assertNoOrphan(second, await storedKeys(second));
  });
});

for (const when of ["before", "after"] as const) {
  Deno.test(`kill -9 between an output's write and the answer to its commit, ${when} the commit`, async () => {
    await withState(async ({ fragments, dataset, start, assertSameRows }) => {
      const first = await start({ death: { at: "commit_compaction", when } });
      const user = await signUp(first, "kill@example.com");
      for (const fragment of fragments) await upload(first, user, dataset, fragment);
      await first.dead;

      const second = await start({ cron: false });
      const outputs = (keys: string[]) => keys.filter((key) => key.startsWith("battle_compacted/"));
      assert.equal(outputs(await storedKeys(second)).length, 1, "the output was not written");
      const visible = (await manifestOf(second, user, dataset)).length;
      assert.equal(visible, when === "before" ? count : 1);
      await assertSameRows(second, user);

      await compactedByHand(second, user, dataset);
      await assertSameRows(second, user);
      const keys = await storedKeys(second);
      // Half of its files at a time: one of them may be what the worker died of.
      const left = outputs(keys).length;
      assert.ok(when === "after" ? left === 1 : left >= 2, `${left} outputs`);
      await assertNoOrphan(second, keys);
    });
  });

  Deno.test(`kill -9 between an upload's put and the answer to its commit, ${when} the commit`, async () => {
    await withState(async ({ fragments, dataset, start, assertSameRows }) => {
      const first = await start({ death: { at: "commit_upload", when }, cron: false });
      const user = await signUp(first, "kill@example.com");
      const { bytes, metadata } = await describe(dataset, fragments[0]);
      const planned = await call(first, "POST", "/battle-data/upload", {
        headers: user.headers,
        json: metadata,
      });
      await assert.rejects(fetch(planned.body.uploadUrl, { method: "PUT", body: bytes }));
      await first.dead;

      const second = await start();
      // A dataset is there from its first commit on.
      const files = await manifestOf(second, user, dataset);
      assert.equal(files?.length, when === "before" ? undefined : 1);
      // The client has seen no answer and sends the bytes again, with the same URL.
      const again = await fetch(planned.body.uploadUrl, { method: "PUT", body: bytes });
      const answer = await again.json();
      assert.equal(again.status, 200, JSON.stringify(answer));
      assert.equal(answer.duplicate, when === "after");
      for (const fragment of fragments.slice(1)) await upload(second, user, dataset, fragment);
      await compacted(second, user, dataset);
      await assertSameRows(second, user);
      await assertNoOrphan(second, await storedKeys(second));
    });
  });
}
