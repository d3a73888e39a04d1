import { strict as assert } from "node:assert";
import postgres from "postgres";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";

const id = () => crypto.randomUUID();
const message = (some: Record<string, unknown> = {}) => ({
  datasetId: id(),
  triggeredAt: new Date().toISOString(),
  priority: "manual",
  metricId: id(),
  ...some,
});

/** What anybody who reaches the queues might put there. */
const bad: [string, unknown][] = [
  ["no object", [1, 2]],
  ["nothing in it", {}],
  ["no dataset", { ...message(), datasetId: undefined }],
  ["no run", { ...message(), metricId: undefined }],
  ["no time", { ...message(), triggeredAt: undefined }],
  ["an unknown priority", message({ priority: "urgent" })],
  ["a dataset id that is none", message({ datasetId: "../../etc" })],
  ["a dataset that is not there", message()],
  ["a partition that is not there", message({ table: "battles", periodTag: "0" })],
  ["half a partition", message({ table: "battles" })],
  ["a hostile table", message({ table: "a'; drop table partitions; --", periodTag: "0" })],
  ["100 KB", message({ padding: "x".repeat(100_000) })],
];

async function withStack(
  action: (stack: Stack, sql: postgres.Sql) => Promise<void>,
): Promise<void> {
  const stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_dead_letters: 0.5, sediment_sweep: 1, sediment_leases: 1 },
  });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  try {
    await action(stack, sql);
  } finally {
    await sql.end();
    await stack.stop();
  }
}

Deno.test("bad messages become dead letters at once, one alert tells of them, and good work goes on", async () => {
  const received: Record<string, unknown>[] = [];
  await using hook = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      received.push(await request.json());
      return new Response("ok");
    },
  );
  await withStack(async (stack, sql) => {
    const webhooks = [{ kind: "plain", url: `http://127.0.0.1:${hook.addr.port}/` }];
    await sql`update public.service_settings set realtime_delay_seconds = 0,
      alert_private_addresses = true, alert_webhooks = ${sql.json(webhooks)}`;
    for (const [index, [, body]] of bad.entries()) {
      const queue = ["compaction_manual", "compaction_realtime", "compaction_scheduled"][index % 3];
      // the text goes through as it is, whatever JSON it holds
      await sql`select pgmq.send(${queue}::text, ${JSON.stringify(body)}::text::jsonb, 0)`;
    }
    const user = await signUp(stack, "queue@example.com");
    const bytes = tinyParquet([1, 2, 3]);
    const dataset = id();
    const uploaded = await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm({
        dataset_id: dataset,
        table: "battles",
        period_tag: "0",
        file_size: bytes.length,
        content_hash: sha256(bytes),
      }, bytes),
    });
    assert.equal(uploaded.status, 200, JSON.stringify(uploaded.body));
    await call(stack, "POST", "/compaction", {
      headers: user.headers,
      json: { datasetId: dataset },
    });

    const letters = await until("a letter for each", 30, async () => {
      const rows = await sql`select error_code, error_message, attempts, message
        from public.dead_letters`;
      return rows.length >= bad.length && rows;
    });
    assert.equal(letters.length, bad.length, JSON.stringify(letters));
    assert.deepEqual([...new Set(letters.map((row) => row.error_code))], ["invalid_message"]);
    assert.ok(letters.every((row) => row.error_message && row.attempts === 0));
    assert.ok(letters.every((row) => JSON.stringify(row.message).length < 20_000));

    await until("the good run's end", 30, async () => {
      const [run] = await sql`select status from public.processing_metrics
        where id = ${uploaded.body.metricId}`;
      return run?.status === "success";
    });
    await until("empty queues", 30, async () => {
      const [left] = await sql`select (select count(*) from sediment.queue_messages)
        + (select count(*) from pgmq.q_compaction_dlq) as left`;
      return Number(left.left) === 0;
    });
    const alerts = await until("the alert", 30, async () => {
      const rows = await sql`select class, occurrences, state from public.alerts`;
      return rows.length > 0 && rows.every(({ state }) => state === "sent") && rows;
    });
    assert.equal(received.length, alerts.length, "one an alert, and one alert a class and window");
    assert.equal(received[0].class, "invalid_message");

    const [row] = await sql`select id from public.dead_letters limit 1`;
    const letter = Number(row.id);
    const redrive = (headers: Record<string, string>) =>
      call(stack, "POST", "/compaction/dlq/redrive", { headers, json: { ids: [letter, 999_999] } });
    const skipped = async (headers: Record<string, string>) =>
      (await redrive(headers)).body.skipped.sort((a: { id: number }, b: { id: number }) =>
        b.id - a.id
      );
    assert.deepEqual(await skipped(user.headers), [
      { id: letter, reason: "not_found" }, // another's looks as if it were not there
      { id: 999_999, reason: "not_found" },
    ]);
    assert.deepEqual(await skipped({ apikey: stack.secretKey }), [
      { id: letter, reason: "no_partition" },
      { id: 999_999, reason: "not_found" },
    ]);
  });
});

Deno.test("a webhook that can't be reached holds nothing up, and is tried again later", async () => {
  await withStack(async (stack, sql) => {
    const webhooks = [
      { kind: "plain", url: `https://127.0.0.1:9/` },
      { kind: "slack", url: "https://169.254.169.254/latest/meta-data" },
    ];
    await sql`update public.service_settings set alert_webhooks = ${sql.json(webhooks)}`;
    await sql`select pgmq.send('compaction_manual'::text, '{}'::jsonb, 0)`;
    const alert = await until("an attempt", 30, async () => {
      const [row] = await sql`select state, attempts, last_error, next_attempt_at > now() as later
        from public.alerts where last_error is not null`;
      return row;
    });
    assert.equal(alert.state, "pending");
    assert.equal(alert.later, true);
    assert.match(alert.last_error, /webhook 0: .*127\.0\.0\.1.*webhook 1: .*169\.254\.169\.254/);
    const drained = await call(stack, "POST", "/dead-letter", {
      headers: { apikey: stack.secretKey },
    });
    assert.equal(drained.status, 200, JSON.stringify(drained.body));
    const [{ left }] = await sql`select count(*)::int as left from pgmq.q_compaction_dlq`;
    assert.equal(left, 0);
  });
});
