/** A user who goes on uploading while the environment fails, and what has to be true when it is well again. */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { type Stack, type StackOptions, startStack } from "../../supabase/local/stack.ts";
import { call, signUp, type TestUser, until, uploadForm } from "./client.ts";
import { tinyParquet } from "./tiny_parquet.ts";

/** One upload that was refused and is to be sent again. */
interface Waiting {
  table: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The world of one test. */
export interface FieldWorld extends AsyncDisposable {
  stack: Stack;
  /** A superuser's session, opened before anything fails. */
  sql: postgres.Sql;
  user: TestUser;
  dataset: string;
  /** Sends a new fragment of five rows; one that is refused waits. Returns the status. */
  send(table: string): Promise<number>;
  /** How many wait. */
  waiting(): number;
  /** Sends what waits, as the client does; each must be taken. */
  sendAgain(): Promise<void>;
  /** The status of `GET /compaction`, and the codes of its reasons. */
  health(): Promise<{ status: number; reasons: string[] }>;
  /** Waits until nothing is left to do, and compares: every row is there once, nothing was given up or set aside. */
  settles(): Promise<void>;
}

/** The schedule of jobs, faster than in the field. */
export const fastClock = {
  tickSeconds: 0.5,
  cronSeconds: { sediment_sweep: 1, sediment_leases: 1, sediment_health: 1 },
};

/** Starts one. */
export async function openFieldWorld(options: StackOptions): Promise<FieldWorld> {
  const stack = await startStack({ ...fastClock, ...options });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  // a worker that can't give its lease back, since nothing can be written, has it until its end: not for five minutes here
  await sql`update public.service_settings set realtime_delay_seconds = 0, backoff_base_seconds = 1,
    backoff_cap_seconds = 2, idle_recheck_seconds = 1, min_inputs = 2, max_age_seconds = 1, breaker_probe_seconds = 1,
    lease_seconds = 60`;
  const user = await signUp(stack, `${crypto.randomUUID()}@example.com`);
  const dataset = crypto.randomUUID();
  let rows = 0;
  const refused: Waiting[] = [];

  const upload = async ({ table, bytes }: Waiting) => {
    const { status, body } = await call(stack, "POST", "/battle-data/upload", {
      headers: user.headers,
      body: uploadForm({ dataset_id: dataset, table }, bytes),
    });
    assert.ok(status === 200 || status >= 500, `${status} ${JSON.stringify(body)}`);
    if (status !== 200) refused.push({ table, bytes });
    return status;
  };
  const health = async () => {
    const { status, body } = await call(stack, "GET", "/compaction");
    return { status, reasons: (body.reasons ?? []).map(({ code }: { code: string }) => code) };
  };

  return {
    stack,
    sql,
    user,
    dataset,
    health,
    send(table) {
      const values = Array.from({ length: 5 }, (_, n) => rows + n);
      rows += values.length;
      return upload({ table, bytes: tinyParquet(values) });
    },
    waiting: () => refused.length,
    async sendAgain() {
      for (const one of refused.splice(0)) assert.equal(await upload(one), 200);
    },
    async settles() {
      const settled = until("everything settles without a hand", 90, async () => {
        const [row] = await sql`select
          (select count(*)::int from public.battle_files where removed_version is null and level = 0) as fragments,
          (select count(*)::int from public.partitions where msg_id is not null) as open`;
        return row.open === 0 && row.fragments <= 1 && (await health()).status === 200;
      });
      await settled.catch(async (error) => {
        const partitions =
          await sql`select "table", due_at, ready_at, debt_files, last_decision, dead_since
          from public.partitions`;
        const incidents = await sql`select * from public.incidents`;
        throw new Error(`${error}; ${JSON.stringify([await health(), incidents, partitions])}`);
      });
      const [sums] = await sql`select
        (sum(row_count) filter (where state = 'active'))::int as stored,
        (count(*) filter (where state <> 'active' or lost_since is not null))::int as bad,
        (select count(*)::int from public.dead_letters) as letters
        from public.battle_files where removed_version is null`;
      assert.deepEqual({ ...sums }, { stored: rows, bad: 0, letters: 0 });
    },
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 });
      await stack.stop();
    },
  };
}
