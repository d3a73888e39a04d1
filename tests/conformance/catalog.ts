/**
 * What every catalog must do, whatever is behind it: the SQL functions, and what stands in for them in memory. Each
 * check has a dataset of its own in a catalog that holds nothing else.
 */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import type { Catalog } from "../../shared/catalog/catalog.ts";
import type { Claim } from "../../shared/catalog/run_results.ts";
import type { Register } from "./store_case.ts";

/** A catalog that was opened for one check. */
export interface OpenedCatalog extends AsyncDisposable {
  catalog: Catalog;
}

const user = "00000000-0000-4000-8000-00000000a11c";
const stranger = "00000000-0000-4000-8000-000000000b0b";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** A dataset in a catalog, and the calls that most checks make. */
class Caller {
  readonly dataset = crypto.randomUUID();

  constructor(readonly catalog: Catalog) {}

  stage(body: string, more: { offsetsDigest?: string; user?: string } = {}) {
    return this.catalog.stageUpload({
      user,
      dataset: this.dataset,
      table: "battles",
      periodTag: "2024-11-25",
      size: 100,
      contentHash: sha256(body),
      offsetsDigest: "",
      ...more,
    });
  }

  commit(stage: string, body: string, more: { user?: string } = {}) {
    return this.catalog.commitUpload({
      stage,
      user,
      size: 100,
      etag: "e",
      contentHash: sha256(body),
      files: [{
        ordinal: 0,
        table: "battles",
        period_tag: "2024-11-25",
        start_byte: 0,
        byte_length: 100,
        row_count: 10,
        row_group_count: 1,
        uncompressed_bytes: 400,
        schema_fingerprint: "f",
        schema: { name: "schema" },
        stats: {},
      }],
      ...more,
    });
  }

  async upload(body: string) {
    const { stage_id } = await this.stage(body);
    return await this.commit(stage_id, body);
  }

  request() {
    return this.catalog.requestCompaction({ user, dataset: this.dataset, priority: "manual" });
  }

  /** Uploads bodies, asks for a compaction and takes it. */
  async claim(...bodies: string[]): Promise<Claim> {
    for (const body of bodies) await this.upload(body);
    await this.request();
    return await this.claimAgain();
  }

  async claimAgain(): Promise<Claim> {
    const claim = await this.catalog.claimCompaction({ worker: "w", leaseSeconds: 300 });
    assert.ok(claim.claimed, "there is something to claim");
    return claim;
  }

  /** Commits an output of the inputs, as the last of the run unless said otherwise. */
  async merge(claim: Claim, inputs: Claim["files"], { n = 0, last = true } = {}) {
    const { run_id: run, token } = claim;
    const staged = await this.catalog.stageOutput({ run, n, token, expectedBytes: 50 });
    return await this.catalog.commitCompaction({
      run,
      n,
      token,
      inputs: inputs.map(({ id }) => id),
      output: {
        object_key: staged.object_key!,
        size: 50,
        etag: "o",
        row_count: inputs.reduce((rows, file) => rows + file.row_count, 0),
        row_group_count: 1,
        uncompressed_bytes: 400,
        schema_fingerprint: "f",
        schema: { name: "schema" },
        stats: {},
      },
      last,
      result: { decision: "merged" },
    });
  }

  list(more: { limit?: number; cursor?: string | null } = {}) {
    return this.catalog.listFiles({ user, dataset: this.dataset, ...more });
  }
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(() => "taken", (error) => error.code);
}

/** The checks by name. */
const checks: Record<string, (caller: Caller) => Promise<void>> = {
  "an upload sent again gets the first answer, and is listed once": async (caller) => {
    const staged = await caller.stage("a");
    assert.equal(staged.duplicate, false);
    assert.equal(staged.answer, null);
    const first = await caller.commit(staged.stage_id, "a");
    assert.deepEqual([first.duplicate, first.version, first.runs.length], [false, 1, 1]);
    const again = await caller.stage("a");
    assert.deepEqual(again.answer, { ...first, duplicate: true });
    assert.deepEqual(await caller.commit(again.stage_id, "a"), { ...first, duplicate: true });
    assert.equal((await caller.list()).files.length, 1);
  },
  "the same commit sent again gets the first answer": async (caller) => {
    const { stage_id } = await caller.stage("a");
    const first = await caller.commit(stage_id, "a");
    assert.deepEqual(await caller.commit(stage_id, "a"), { ...first, duplicate: true });
  },
  "the same body cut in another way is refused": async (caller) => {
    await caller.upload("a");
    assert.equal(await codeOf(caller.stage("a", { offsetsDigest: "other" })), "upload_conflict");
  },
  "another user can neither stage into a dataset nor commit a stage nor list": async (caller) => {
    const mine = await caller.stage("b");
    await caller.upload("a");
    assert.equal(await codeOf(caller.stage("c", { user: stranger })), "dataset_forbidden");
    assert.equal(await codeOf(caller.commit(mine.stage_id, "b", { user: stranger })), "forbidden");
    const { dataset } = caller;
    const list = caller.catalog.listFiles({ user: stranger, dataset });
    assert.equal(await codeOf(list), "dataset_forbidden");
    const tables = caller.catalog.listTables({ user: stranger, dataset });
    assert.equal(await codeOf(tables), "dataset_forbidden");
    const run = caller.catalog.requestCompaction({ user: stranger, dataset });
    assert.equal(await codeOf(run), "dataset_forbidden");
  },
  "a commit needs its stage, and the bytes that the stage named": async (caller) => {
    const { stage_id } = await caller.stage("a");
    assert.equal(await codeOf(caller.commit(stage_id, "b")), "hash_mismatch");
    assert.equal(await codeOf(caller.commit(crypto.randomUUID(), "a")), "stage_expired");
    await caller.catalog.abandonUpload({ stage: stage_id, user });
    assert.equal(await codeOf(caller.commit(stage_id, "a")), "stage_expired");
  },
  "nothing is known of a dataset without uploads": async (caller) => {
    assert.equal(await codeOf(caller.list()), "not_found");
    assert.equal(await codeOf(caller.request()), "not_found");
    assert.equal(await codeOf(caller.catalog.getFile({ user, file: 1 })), "not_found");
  },
  "files are listed in upload order, page by page": async (caller) => {
    const uploads = [];
    for (const body of ["a", "b", "c"]) uploads.push((await caller.upload(body)).key);
    const first = await caller.list({ limit: 2 });
    const second = await caller.list({ limit: 2, cursor: first.next_cursor });
    assert.deepEqual([...first.files, ...second.files].map((file) => file.object_key), uploads);
    assert.deepEqual([first.version, second.version, second.next_cursor], [3, 3, null]);
    const [file] = first.files;
    assert.deepEqual([file.table, file.level, file.row_count, file.state], [
      "battles",
      0,
      10,
      "active",
    ]);
    assert.equal(
      (await caller.catalog.getFile({ user, file: file.id })).object_key,
      file.object_key,
    );
  },
  "tables add up their files": async (caller) => {
    for (const body of ["a", "b"]) await caller.upload(body);
    const { partitions, schemas } = await caller.catalog.listTables({
      user,
      dataset: caller.dataset,
    });
    const [{ table, period_tag, files, rows, bytes, uncompressed_bytes }] = partitions;
    assert.deepEqual([table, period_tag, files, rows, bytes, uncompressed_bytes], [
      "battles",
      "2024-11-25",
      2,
      20,
      200,
      800,
    ]);
    assert.deepEqual(partitions[0].schemas, [{ fingerprint: "f", files: 2, rows: 20 }]);
    assert.deepEqual(schemas, { f: { name: "schema" } });
  },
  "a partition is claimed by one worker at a time, and asked for by one run": async (caller) => {
    await caller.upload("a");
    const [one, other] = [await caller.request(), await caller.request()];
    assert.equal(one.requested[0].metricId, other.requested[0].metricId);
    const claim = await caller.claimAgain();
    assert.equal(claim.run_id, one.requested[0].metricId);
    assert.deepEqual([claim.attempt, claim.outputs_committed, claim.forced], [1, 0, true]);
    assert.equal(claim.files.length, 1);
    assert.ok(!(await caller.catalog.claimCompaction({ worker: "x" })).claimed);
  },
  "a commit takes its inputs' place, and ends the run": async (caller) => {
    const claim = await caller.claim("a", "b", "c");
    const answer = await caller.merge(claim, claim.files.slice(0, 2));
    assert.deepEqual([answer.version, answer.run_status, answer.commits, answer.replayed], [
      4,
      "success",
      1,
      false,
    ]);
    const { files } = await caller.list();
    assert.deepEqual(files.map(({ level, row_count }) => [level, row_count]).toSorted(), [
      [0, 10],
      [1, 20],
    ]);
    const status = await caller.catalog.runStatus({ user, run: claim.run_id });
    assert.deepEqual([status.status, status.decision], ["success", "merged"]);
    assert.equal(
      await codeOf(caller.catalog.runStatus({ user: stranger, run: claim.run_id })),
      "run_not_found",
    );
  },
  "a commit sent again gets the first answer, and changes nothing": async (caller) => {
    const claim = await caller.claim("a", "b");
    const { run_id: run, token } = claim;
    const first = await caller.merge(claim, claim.files, { last: false });
    const again = await caller.catalog.commitCompaction({
      run,
      n: 0,
      token,
      inputs: claim.files.map(({ id }) => id),
      output: null,
      last: false,
      result: null,
    });
    assert.deepEqual([again.replayed, again.version], [true, first.version]);
    assert.equal((await caller.list()).version, first.version);
  },
  "nothing is committed without the token of the lease, out of turn, or over inputs that are gone":
    async (caller) => {
      const claim = await caller.claim("a", "b");
      const { run_id: run } = claim;
      const commit = (n: number, token: number, inputs: number[]) =>
        codeOf(
          caller.catalog.commitCompaction({
            run,
            n,
            token,
            inputs,
            output: null,
            last: true,
            result: null,
          }),
        );
      assert.equal(await commit(0, claim.token + 1, []), "lease_lost");
      assert.equal(await commit(1, claim.token, []), "invalid_request");
      await caller.merge(claim, claim.files, { last: false });
      assert.equal(
        await codeOf(caller.merge(claim, claim.files, { n: 1 })),
        "inputs_changed",
      );
      assert.equal(
        await codeOf(
          caller.catalog.renewLease({ run, token: claim.token + 1, seconds: 300 }),
        ),
        "lease_lost",
      );
    },
  "a quarantined file stays listed and is marked": async (caller) => {
    const claim = await caller.claim("a", "b");
    const { run_id: run, token, files: [file] } = claim;
    const quarantine = () =>
      caller.catalog.quarantineFile({ run, token, file: file.id, code: "x", reason: "why" });
    assert.equal((await quarantine()).state, "quarantined");
    const listed = (await caller.list()).files.find(({ id }) => id === file.id)!;
    assert.deepEqual([listed.state, listed.quarantine_code, listed.quarantine_reason], [
      "quarantined",
      "x",
      "why",
    ]);
  },
  "a run dies of its data's faults only, and frees its partition": async (caller) => {
    const claim = await caller.claim("a", "b");
    const fail = (one: Claim, permanent: boolean, faultClass: string) =>
      caller.catalog.failCompaction({
        run: one.run_id,
        token: one.token,
        code: faultClass === "data" ? "invalid_parquet" : "store_failed",
        message: "why",
        step: "merge",
        permanent,
        class: faultClass,
      });
    assert.equal((await fail(claim, true, "data")).status, "dead");
    const status = await caller.catalog.runStatus({ user, run: claim.run_id });
    assert.deepEqual([status.status, status.error?.code], ["error", "invalid_parquet"]);
    assert.equal(await codeOf(fail(claim, true, "data")), "run_finished");
    await caller.request();
    const next = await caller.claimAgain();
    assert.notEqual(next.run_id, claim.run_id);
    assert.equal((await fail(next, false, "environment")).status, "retry");
  },
};

/**
 * Registers the suite.
 * @param name of the catalog, in the tests' names
 * @param open opens an empty catalog
 * @param test where the tests go
 */
export function catalogConformance(
  name: string,
  open: () => Promise<OpenedCatalog>,
  test: Register = Deno.test,
): void {
  for (const [what, check] of Object.entries(checks)) {
    test(`${name}: ${what}`, async () => {
      await using opened = await open();
      await check(new Caller(opened.catalog));
    });
  }
}
