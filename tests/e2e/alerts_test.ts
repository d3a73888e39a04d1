/** What is wrong is told once when it begins and once when it is over, also where the database's own pings are what fails. */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, signUp, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

Deno.test("a key that the functions refuse is alerted once, by whoever looks at health, and its end once", async () => {
  const received: { class: string; summary: string }[] = [];
  await using hook = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      received.push(await request.json());
      return new Response("ok");
    },
  );
  await using stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_health: 0.5, sediment_dead_letters: 0.5 },
  });
  await using sql = Object.assign(postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} }), {
    [Symbol.asyncDispose]: () => sql.end(),
  });
  const service = { apikey: stack.secretKey };
  const test = async () =>
    (await call(stack, "POST", "/compaction/alerts/test", { headers: service })).body;
  const told = () => received.map((alert) => alert.class);
  const key = (value: string) =>
    sql`select vault.update_secret(id, ${value}) from vault.secrets where name = 'sediment_cron_key'`;

  assert.deepEqual(await test(), { sent: false, webhooks: 0, errors: [] });
  const webhooks = [{ kind: "plain", url: `http://127.0.0.1:${hook.addr.port}/` }];
  await sql`update public.service_settings set realtime_delay_seconds = 0, min_inputs = 2,
    alert_private_addresses = true, alert_webhooks = ${sql.json(webhooks)}`;
  assert.deepEqual(await test(), { sent: true, webhooks: 1, errors: [] });
  assert.deepEqual(told(), ["test"]);
  const refused = await call(stack, "POST", "/compaction/alerts/test");
  assert.equal(refused.status, 401);

  await key("sb_secret_which_was_deleted");
  const user = await signUp(stack, "alerts@example.com");
  const dataset = crypto.randomUUID();
  for (let n = 0; n < 2; n++) {
    const { status } = await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm({ dataset_id: dataset, table: "battles" }, tinyParquet([n])),
    });
    assert.equal(status, 200);
  }
  await until("the incident", 30, async () => {
    const [row] = await sql`select state from public.incidents where name = 'pings_refused'`;
    return row?.state === "open";
  });
  for (let look = 0; look < 3; look++) {
    const { status, body } = await call(stack, "GET", "/compaction");
    assert.equal(status, 503);
    assert.ok(body.reasons.some(({ code }: { code: string }) => code === "pings_refused"));
  }
  // by the looks, since no ping arrives; a sender goes on after the answer to its look
  await until("the incident is told", 30, () => Promise.resolve(told().length > 1));
  assert.deepEqual(told(), ["test", "pings_refused_opened"]);
  assert.match(received[1].summary, /pings of the last five minutes were refused/);

  await key(stack.cronKey);
  await until(
    "all is well",
    60,
    async () => (await call(stack, "GET", "/compaction")).status === 200,
  );
  await until("the end is told", 30, () => Promise.resolve(told().length === 3));
  assert.deepEqual(told().slice(2), ["pings_refused_closed"]);
  const counts = await until("what was told is written down", 30, async () => {
    const [row] = await sql`select count(*)::int as alerts,
      (count(*) filter (where state = 'sent'))::int as sent from public.alerts`;
    return row.sent === row.alerts && row;
  });
  assert.equal(counts.alerts, 4);
  const pings = await sql`select p.path, r.status_code from public.pings p
    join net._http_response r on r.id = p.id where r.status_code in (200, 401)`;
  assert.deepEqual(
    new Set(pings.map(({ path, status_code }) => `${path} ${status_code}`)).has("/compactor 401"),
    true,
  );
});
