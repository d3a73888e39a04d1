/**
 * The store goes away under uploads and compaction and comes back. SEDIMENT_OUTAGE_SECONDS is for how long: few here, 300 where
 * somebody has the time; the rules are the same however long it lasts.
 */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { tokenStandIn } from "../storage/token_stand_in.ts";
import { call, signUp, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const outageSeconds = Number(Deno.env.get("SEDIMENT_OUTAGE_SECONDS") ?? 12);
const jwtSecret = "a secret of a Storage that goes away now and then";

/** A Storage behind a door that can be shut. */
async function openStorage() {
  const real = await tokenStandIn(jwtSecret);
  const state = { away: false, refused: 0 };
  const door = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    if (state.away) {
      state.refused++;
      await request.body?.cancel();
      return new Response("upstream connect error", { status: 503 });
    }
    const { pathname, search } = new URL(request.url);
    return await fetch(`${real.url}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      redirect: "manual",
    });
  });
  return {
    url: `http://127.0.0.1:${door.addr.port}/storage/v1`,
    state,
    async close() {
      await door.shutdown();
      await real.close();
    },
  };
}

Deno.test("a store that is away for a while costs no file, no row and no attempt, and health says it", async () => {
  const storage = await openStorage();
  const stack = await startStack({
    tickSeconds: 0.5,
    cronSeconds: { sediment_sweep: 1, sediment_leases: 1 },
    storage: { url: storage.url, jwtSecret },
  });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`update public.service_settings set realtime_delay_seconds = 0, backoff_base_seconds = 1,
      backoff_cap_seconds = 2, idle_recheck_seconds = 1, min_inputs = 2, max_age_seconds = 1,
      breaker_probe_seconds = 1`;
    const user = await signUp(stack, "outage@example.com");
    const dataset = crypto.randomUUID();
    const waiting: { table: string; bytes: Uint8Array<ArrayBuffer> }[] = [];
    let rows = 0;
    const send = async (table: string, bytes: Uint8Array<ArrayBuffer>) => {
      const answer = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({ dataset_id: dataset, table }, bytes),
      });
      if (answer.status !== 200) {
        assert.ok(answer.status >= 500, `${answer.status} ${JSON.stringify(answer.body)}`);
        waiting.push({ table, bytes });
      }
      return answer.status;
    };
    const fragment = (table: string) => {
      const values = Array.from({ length: 5 }, (_, n) => rows + n);
      rows += values.length;
      return send(table, tinyParquet(values));
    };
    const health = async () => (await call(stack, "GET", "/compaction")).status;

    for (let n = 0; n < 4; n++) assert.equal(await fragment("first"), 200);
    // work is due in several partitions when the store goes
    await sql`update public.service_settings set max_workers = 0`;
    for (let n = 0; n < 24; n++) assert.equal(await fragment(`table_${n % 8}`), 200);
    storage.state.away = true;
    await sql`update public.service_settings set max_workers = 4`;
    const back = Date.now() + outageSeconds * 1000;
    await until("health says that the store is away", 60, async () => {
      await fragment("during");
      return await health() === 503;
    });
    while (Date.now() < back) {
      await fragment("during");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    assert.ok(waiting.length > 0 && storage.state.refused > 0);
    // who was at work when it opened still has to see that
    await until("nobody works while the breaker is open", 30, async () => {
      const [{ leases }] = await sql`select count(*)::int as leases from public.partitions
        where lease_expires_at is not null`;
      return leases === 0;
    });
    const [breaker] = await sql`select state from public.circuit_breaker`;
    assert.notEqual(breaker.state, "closed");

    storage.state.away = false;
    for (const { table, bytes } of waiting.splice(0)) assert.equal(await send(table, bytes), 200);
    const settled = until("everything settles without a hand", 120, async () => {
      const [row] = await sql`select
        (select count(*)::int from public.battle_files where removed_version is null and level = 0) as fragments,
        (select count(*)::int from public.partitions where msg_id is not null) as open`;
      return row.open === 0 && row.fragments <= 1 && await health() === 200;
    });
    await settled.catch(async (error) => {
      const partitions =
        await sql`select "table", due_at, ready_at, debt_files, last_decision, dead_since
        from public.partitions`;
      const breaker = await sql`select * from public.circuit_breaker`;
      throw new Error(`${error}; ${JSON.stringify([await health(), breaker, partitions])}`);
    });
    const [{ stored, bad }] = await sql`select
      (sum(row_count) filter (where state = 'active'))::int as stored,
      (count(*) filter (where state <> 'active'))::int as bad
      from public.battle_files where removed_version is null`;
    assert.deepEqual([stored, bad], [rows, 0]);
    assert.equal((await sql`select 1 from public.dead_letters`).length, 0);
    const [{ lost }] = await sql`select count(*)::int as lost from public.battle_files
      where lost_since is not null and removed_version is null`;
    assert.equal(lost, 0);
    const alerts =
      await sql`select class from public.alerts where class like 'breaker_%' order by id`;
    assert.deepEqual(alerts.map((alert) => alert.class), ["breaker_opened", "breaker_closed"]);
  } finally {
    await sql.end({ timeout: 1 });
    await stack.stop();
    await storage.close();
  }
});
