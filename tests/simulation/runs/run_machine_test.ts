import { strict as assert } from "node:assert";
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { Claim } from "../../../shared/catalog/run_results.ts";
import {
  machineAsMarkdown,
  type RunEvent,
  runMachine,
  type RunState,
  type Told,
} from "./run_machine.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { openDatabase, type SimulatedDatabase } from "./database.ts";

const user = "00000000-0000-4000-8000-000000000001";
const dataset = "00000000-0000-4000-8000-0000000000d1";

/** A partition, brought to where its run is in a state. */
class Stage {
  readonly catalog: Catalog;
  claim!: Claim;
  /** The run that is looked at. */
  subject = "";
  /** The first commit, as it was made. */
  first: Parameters<Catalog["commitCompaction"]>[0] | undefined;
  private uploads = 0;
  private commits = 0;
  private files: { id: number; rows: number }[] = [];

  constructor(readonly database: SimulatedDatabase) {
    this.catalog = createSqlCatalog(database.sql);
  }

  async upload() {
    const hash = String(this.uploads++).padStart(64, "0");
    const staged = await this.catalog.stageUpload({
      user,
      dataset,
      table: "t",
      periodTag: "0",
      size: 100,
      contentHash: hash,
      offsetsDigest: "",
    });
    const answer = await this.catalog.commitUpload({
      stage: staged.stage_id,
      user,
      size: 100,
      etag: hash,
      contentHash: hash,
      files: [{
        ordinal: 0,
        table: "t",
        period_tag: "0",
        start_byte: 0,
        byte_length: 100,
        row_count: 10,
        row_group_count: 1,
        uncompressed_bytes: 100,
        schema_fingerprint: "s",
        schema: {},
        stats: {},
      }],
    });
    const listed = await this.catalog.listFiles({ user, dataset: answer.dataset_id });
    const file = listed.files.find(({ object_key }) => object_key === answer.key)!;
    this.files.push({ id: Number(file.id), rows: 10 });
    return answer;
  }

  /** The run's next commit: the first one or two files that are left, as one. */
  async commit(last: boolean, token = this.claim.token, more = false, nothing = false) {
    const n = this.commits;
    const inputs = nothing ? [] : this.files.slice(0, n + 1);
    const run = this.claim.run_id;
    const object_key = nothing
      ? null
      : (await this.catalog.stageOutput({ run, n, token, expectedBytes: 100 })).object_key;
    const rows = inputs.reduce((sum, file) => sum + file.rows, 0);
    const args: Parameters<Catalog["commitCompaction"]>[0] = {
      run,
      n,
      token,
      inputs: inputs.map(({ id }) => id),
      output: object_key === null ? null : {
        object_key,
        size: 100,
        etag: "e",
        row_count: rows,
        row_group_count: 1,
        uncompressed_bytes: 100,
        schema_fingerprint: "s",
        schema: {},
        stats: {},
      },
      last,
      result: { decision: "as the test says", more },
    };
    const answer = await this.catalog.commitCompaction(args);
    this.first ??= args;
    this.commits++;
    if (!nothing) {
      this.files.splice(0, inputs.length, { id: Number(answer.file_id), rows });
    }
    return answer;
  }

  fail(permanent: boolean) {
    const { run_id: run, token } = this.claim;
    return this.catalog.failCompaction({
      run,
      token,
      code: "store_failed",
      message: "as the test says",
      step: "merge",
      permanent,
    });
  }

  /** Four uploads, a claim, one commit; from there to the state. */
  async enter(state: RunState) {
    await this.database.reset(1);
    this.files = [];
    this.first = undefined;
    this.commits = 0;
    for (let n = 0; n < 4; n++) await this.upload();
    const claim = await this.catalog.claimCompaction({ worker: "first", leaseSeconds: 60 });
    assert.ok(claim.claimed);
    this.claim = claim;
    this.subject = claim.run_id;
    await this.commit(false);
    const ways: Record<RunState, () => Promise<unknown>> = {
      queued: async () => {
        await this.fail(false);
        await this.database.advance(40);
      },
      backing_off: () => this.fail(false),
      waiting: async () => this.subject = (await this.upload()).metricId,
      running: () => Promise.resolve(),
      expired: () => this.database.advance(70),
      success: () => this.commit(true),
      dead: () => this.fail(true),
    };
    await ways[state]();
  }

  /** The token of a worker that holds nothing any more. */
  get stale(): number {
    return this.claim.token - 1;
  }

  async state(): Promise<RunState> {
    const [row] = await this.database.sql`
      select coalesce(r.status, 'queued') as status, p.next_run_id is not distinct from ${this.subject}::uuid as waits, p.lease_expires_at > simulation.clock() as leased,
        p.lease_expires_at is not null as taken, p.ready_at > simulation.clock() as hidden
      from public.partitions p left join public.processing_metrics r on r.id = ${this.subject}`;
    if (row.status === "success") return "success";
    if (row.status === "dlq_failure" || row.status === "timeout") return "dead";
    if (row.waits) return "waiting";
    if (row.taken) return row.leased ? "running" : "expired";
    return row.hidden ? "backing_off" : "queued";
  }
}

const events: Record<RunEvent, (stage: Stage) => Promise<unknown>> = {
  upload: (stage) => stage.upload(),
  request: ({ catalog }) =>
    catalog.requestCompaction({ user, dataset, table: "t", periodTag: "0", priority: "manual" }),
  claim: ({ catalog }) => catalog.claimCompaction({ worker: "second", leaseSeconds: 60 }),
  commit: (stage) => stage.commit(false),
  commit_last: (stage) => stage.commit(true),
  commit_nothing: (stage) => stage.commit(true, stage.claim.token, false, true),
  commit_more: (stage) => stage.commit(true, stage.claim.token, true),
  replay: ({ catalog, first }) => catalog.commitCompaction(first!),
  stale_commit: (stage) => stage.commit(true, stage.stale, false, true),
  renew: ({ catalog, claim }) =>
    catalog.renewLease({ run: claim.run_id, token: claim.token, seconds: 60 }),
  record: ({ catalog, claim }) =>
    catalog.recordStep({ run: claim.run_id, token: claim.token, step: "merge", result: {} }),
  quarantine: (stage) =>
    stage.catalog.quarantineFile({
      run: stage.claim.run_id,
      token: stage.claim.token,
      file: stage["files"].at(-1)!.id,
      code: "invalid_parquet",
      reason: "as the test says",
    }),
  fail: (stage) => stage.fail(false),
  fail_for_good: (stage) => stage.fail(true),
  expire: ({ catalog }) => catalog.expireLeases({}),
  give_back: ({ catalog, claim }) =>
    catalog.failCompaction({
      run: claim.run_id,
      token: claim.token,
      code: "store_failed",
      message: "as the test says",
      step: "merge",
      permanent: false,
      class: "environment",
      part: "store_read",
    }),
  sweep: ({ catalog }) => catalog.sweep({}),
  look_again: async ({ catalog, database }) => {
    await database
      .sql`update public.partitions set due_at = simulation.clock() where due_at is not null`;
    return await catalog.sweep({});
  },
  redrive: ({ catalog }) => catalog.redriveDeadLetters({ user }),
  delete: async ({ catalog }) => {
    await catalog.deleteData({ user, dataset, table: "t" });
    await catalog.advanceDeletions({});
  },
};

async function tell(stage: Stage, event: RunEvent): Promise<Told | string> {
  try {
    const answer = await events[event](stage) as { claimed?: boolean; reason?: Told };
    if (event !== "claim") return "ok";
    return answer.claimed ? "claimed" : answer.reason!;
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
    return thrown.code;
  }
}

Deno.test({
  name: "the SQL does what every cell of the run's state machine says",
  async fn() {
    const database = await openDatabase();
    try {
      const stage = new Stage(database);
      const wrong: string[] = [];
      for (const state of Object.keys(runMachine) as RunState[]) {
        for (const event of Object.keys(runMachine[state]) as RunEvent[]) {
          await stage.enter(state);
          assert.equal(await stage.state(), state, `the stage of ${state}`);
          const told = await tell(stage, event);
          const [to, expected] = runMachine[state][event];
          const now = await stage.state();
          if (now !== to || told !== expected) {
            wrong.push(`${state} × ${event}: ${now}, ${told}; the table says ${to}, ${expected}`);
          }
        }
      }
      assert.deepEqual(wrong, []);
    } finally {
      await database.stop();
    }
  },
});

Deno.test("SPEC.md shows the table that the code has", async () => {
  const spec = await Deno.readTextFile(
    new URL("../../../shared/compaction/SPEC.md", import.meta.url),
  );
  assert.ok(spec.includes(machineAsMarkdown()), machineAsMarkdown());
});
