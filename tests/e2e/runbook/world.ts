/** A stack that the runbook's cases break and mend, and what they do it by. */
import { strict as assert } from "node:assert";
import postgres, { type Sql } from "postgres";
import { type Stack, startStack } from "../../../supabase/local/stack.ts";
import { call, signUp, type TestUser, until, uploadForm } from "../../support/client.ts";
import { tinyParquet } from "../../support/tiny_parquet.ts";

/** What a case has at hand. */
export interface World extends AsyncDisposable {
  stack: Stack;
  /** As an operator in the SQL editor: role postgres. */
  sql: Sql;
  /** As a superuser, who may break what an operator can't. */
  admin: Sql;
  user: () => Promise<TestUser>;
  /** Uploads files of one table under a new dataset; how many. */
  uploads(table: string, count: number): Promise<string>;
  /** A job of pg_cron stands still, or runs again. */
  job(name: string, active: boolean): Promise<void>;
  /** A worker takes the next run, and says nothing more. */
  claim(): Promise<{ run_id: string; token: string }>;
  /** The codes of the reasons in the answer of health. */
  reasons(): Promise<string[]>;
}

/** Starts it, its jobs in fractions of their seconds. */
export async function openWorld(): Promise<World> {
  const jobs = [
    "health",
    "sweep",
    "leases",
    "deletions",
    "dead_letters",
    "metrics",
    "ages",
    "lake",
  ];
  const stack = await startStack({
    tickSeconds: 0.5,
    cronSeconds: Object.fromEntries(jobs.map((job) => [`sediment_${job}`, 0.5])),
  });
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  const admin = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  let user: Promise<TestUser> | undefined;
  const world: World = {
    stack,
    sql,
    admin,
    user: () => user ??= signUp(stack, "runbook@example.com"),
    async uploads(table, count) {
      const dataset = crypto.randomUUID();
      const { headers } = await world.user();
      for (let n = 0; n < count; n++) {
        const { status, body } = await call(stack, "POST", "/battle-data/upload", {
          headers,
          body: uploadForm({ dataset_id: dataset, table }, tinyParquet([n, n + 1])),
        });
        assert.equal(status, 200, JSON.stringify(body));
      }
      return dataset;
    },
    async job(name, active) {
      await sql`select cron.alter_job(jobid, active := ${active}) from cron.job where jobname = ${name}`;
    },
    claim: () =>
      until("a run is there", 30, async () => {
        const [{ claim }] =
          await admin`select public.claim_compaction('a worker of the test') as claim`;
        return claim.claimed && claim;
      }),
    async reasons() {
      const { body } = await call(stack, "GET", "/compaction");
      return (body.reasons ?? []).map(({ code }: { code: string }) => code);
    },
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 });
      await admin.end({ timeout: 1 });
      await stack.stop();
    },
  };
  return world;
}
