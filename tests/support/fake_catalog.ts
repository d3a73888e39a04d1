/**
 * The catalog in memory, as far as uploads, runs and readers of one process need it: one partition claimed at
 * a time, fencing by token, replays. It passes the checks that the SQL functions pass, tests/conformance/catalog.ts;
 * what those don't ask for, such as due times, quotas and vacuum, it doesn't have.
 */
import { SedimentError } from "../../shared/errors.ts";

/** One call, as the hooks see it. */
export interface CatalogCall {
  method: string;
  // deno-lint-ignore no-explicit-any -- whatever the method takes
  input: any;
  /** The signal that came with the call. */
  signal?: AbortSignal;
}

/** How the fake behaves. */
export interface FakeCatalogOptions {
  /** Runs before a call has any effect. */
  before?: (call: CatalogCall) => Promise<void> | void;
  /** Runs after the effect: by throwing, it loses the answer of a call that was done. */
  after?: (call: CatalogCall) => Promise<void> | void;
  /** Replaces some of the table's settings. */
  settings?: Record<string, unknown>;
  /** What the store takes as one object. @default nothing is known of a limit */
  maxObjectBytes?: number;
  /** What it says of the largest asset. */
  maxAssetBytes?: number;
  now?: () => Date;
}

/** A data file. */
export interface FakeFile {
  id: number;
  dataset_id: string;
  user: string;
  table: string;
  period_tag: string;
  object_key: string;
  start_byte: number;
  byte_length: number;
  size: number;
  level: number;
  state: string;
  quarantine_code?: string;
  quarantine_reason?: string;
  apart?: { kind: string; reason: string; planner: number };
  row_count: number;
  row_group_count: number;
  uncompressed_bytes: number;
  schema_fingerprint: string;
  schema?: unknown;
  stats: unknown;
  etag: string | null;
  seq_min: number;
  seq_max: number;
  uploaded_at: string;
  added_version: number;
  removed_version: number | null;
}

interface Stage {
  id: string;
  user: string;
  dataset: string;
  table: string;
  periodTag: string;
  size: number;
  contentHash: string;
  offsetsDigest: string;
  key: string;
  state: "staged" | "stored" | "deleting";
}

interface Run {
  id: string;
  dataset: string;
  table: string;
  periodTag: string;
  priority: string;
  status: string;
  token: number;
  leased: boolean;
  commits: Map<number, Record<string, unknown>>;
  attempts: number;
  error: Record<string, unknown> | null;
  decision: string | null;
}

/** The state behind the fake, for assertions. */
export interface FakeState {
  owners: Map<string, string>;
  stages: Map<string, Stage>;
  ledger: Map<string, { offsetsDigest: string; answer: Record<string, unknown> }>;
  files: FakeFile[];
  runs: Run[];
  calls: CatalogCall[];
  version: number;
}

const defaults = {
  target_file_bytes: 32 * 1024 * 1024,
  target_row_group_bytes: 8 * 1024 * 1024,
  healthy_row_group_bytes: 2 * 1024 * 1024,
  target_page_bytes: 1024 * 1024,
  min_inputs: 4,
  max_age_seconds: 3600,
  codec: "snappy",
  sort_keys: [],
  dedupe_keys: [],
};

/** An empty catalog. */
export function createFakeCatalog(options: FakeCatalogOptions = {}) {
  const now = options.now ?? (() => new Date());
  const state: FakeState = {
    owners: new Map(),
    stages: new Map(),
    ledger: new Map(),
    files: [],
    runs: [],
    calls: [],
    version: 0,
  };
  let token = 0;
  let fileId = 0;
  let seq = 0;

  const fail = (code: ConstructorParameters<typeof SedimentError>[0], detail: string): never => {
    throw new SedimentError(code, detail);
  };

  const own = (user: string | null, dataset: string) => {
    const owner = state.owners.get(dataset);
    if (owner === undefined) return fail("not_found", "no such dataset");
    if (user !== null && owner !== user) fail("dataset_forbidden", "another user's");
  };

  const wake = (dataset: string, table: string, periodTag: string, priority: string) => {
    const live = state.runs.find((run) =>
      run.status === "queued" && run.dataset === dataset && run.table === table &&
      run.periodTag === periodTag
    );
    if (live !== undefined) {
      if (priority === "manual") live.priority = "manual";
      return live.id;
    }
    const run: Run = {
      id: crypto.randomUUID(),
      dataset,
      table,
      periodTag,
      priority,
      status: "queued",
      token: 0,
      leased: false,
      commits: new Map(),
      attempts: 0,
      error: null,
      decision: null,
    };
    state.runs.push(run);
    return run.id;
  };

  const lease = (id: string, given: number): Run => {
    const run = state.runs.find((one) => one.id === id) ?? fail("run_not_found", id);
    if (!["queued", "running"].includes(run.status)) fail("run_finished", id);
    if (!run.leased || run.token !== given) fail("lease_lost", id);
    return run;
  };

  const schemasOf = (files: FakeFile[]) =>
    Object.fromEntries(
      files.filter(({ schema }) => schema !== undefined)
        .map(({ schema_fingerprint, schema }) => [schema_fingerprint, schema]),
    );

  const visible = () => state.files.filter((file) => file.removed_version === null);

  // deno-lint-ignore no-explicit-any -- mirrors jsonb
  const methods: Record<string, (input: any) => any> = {
    stageUpload(i) {
      const owner = state.owners.get(i.dataset);
      if (owner !== undefined && owner !== i.user) fail("dataset_forbidden", "another user's");
      const known = state.ledger.get([i.dataset, i.table, i.periodTag, i.contentHash].join());
      if (known !== undefined && known.offsetsDigest !== i.offsetsDigest) {
        fail("upload_conflict", "other offsets");
      }
      const id = crypto.randomUUID();
      const suffix = i.kind?.endsWith("concatenated") ? "bin" : "parquet";
      const key = `battle_data/${i.dataset}/${i.table}/${i.periodTag}/${id}.${suffix}`;
      state.stages.set(id, { ...i, id, key, state: "staged" });
      return {
        stage_id: id,
        dataset_id: i.dataset,
        object_key: key,
        incoming_key: i.kind?.startsWith("direct_") ? `incoming/${i.user}/${id}.${suffix}` : null,
        expires_at: new Date(now().getTime() + (i.ttlSeconds ?? 120) * 1000).toISOString(),
        duplicate: known !== undefined,
        answer: known === undefined ? null : { ...known.answer, duplicate: true },
      };
    },
    commitUpload(i) {
      const stage = state.stages.get(i.stage) ?? fail("stage_expired", i.stage);
      if (stage.user !== i.user) fail("forbidden", "another user's stage");
      if (stage.contentHash !== i.contentHash) fail("hash_mismatch", i.contentHash);
      const identity = [stage.dataset, stage.table, stage.periodTag, stage.contentHash].join();
      const known = state.ledger.get(identity);
      if (known !== undefined) {
        if (stage.state === "staged") stage.state = "deleting";
        return { ...known.answer, duplicate: true };
      }
      if (stage.state !== "staged") fail("stage_expired", i.stage);
      const owner = state.owners.get(stage.dataset);
      if (owner !== undefined && owner !== stage.user) fail("dataset_forbidden", "another user's");
      state.owners.set(stage.dataset, stage.user);
      stage.state = "stored";
      state.version++;
      const uploadedAt = now().toISOString();
      // deno-lint-ignore no-explicit-any -- mirrors jsonb
      const files: FakeFile[] = i.files.map((file: any) => ({
        ...file,
        id: ++fileId,
        dataset_id: stage.dataset,
        user: stage.user,
        object_key: stage.key,
        size: file.byte_length,
        level: 0,
        state: "active",
        etag: i.etag,
        seq_min: ++seq,
        seq_max: seq,
        uploaded_at: uploadedAt,
        added_version: state.version,
        removed_version: null,
      }));
      state.files.push(...files);
      const runs = files.map(({ table, period_tag }) => ({
        table,
        period_tag,
        metricId: wake(stage.dataset, table, period_tag, "realtime"),
      }));
      const answer = {
        key: stage.key,
        size: i.size,
        uploaded_at: uploadedAt,
        metricId: runs[0].metricId,
        duplicate: false,
        dataset_id: stage.dataset,
        version: state.version,
        runs,
      };
      state.ledger.set(identity, { offsetsDigest: stage.offsetsDigest, answer });
      return answer;
    },
    abandonUpload(i) {
      const stage = state.stages.get(i.stage);
      if (stage?.state === "staged") stage.state = "deleting";
      return { abandoned: stage !== undefined };
    },
    listFiles({ user, dataset, table = null, limit = 1000, cursor = null }) {
      own(user, dataset);
      const all = visible().filter((file) =>
        file.dataset_id === dataset && (table === null || file.table === table)
      );
      const from = Number(cursor ?? 0);
      const files = all.slice(from, from + limit);
      const end = from + files.length;
      return {
        dataset_id: dataset,
        version: state.version,
        committed_at: now().toISOString(),
        signed_url_seconds: 3600,
        files,
        totals: totalsOf(visible().filter((file) => file.dataset_id === dataset)),
        next_cursor: end < all.length ? String(end) : null,
      };
    },
    listTables({ user, dataset, limit = 1000, cursor = null }) {
      own(user, dataset);
      const all = visible().filter((file) => file.dataset_id === dataset);
      const from = Number(cursor ?? 0);
      const files = all.slice(from, from + limit);
      const end = from + files.length;
      const partitions = Map.groupBy(files, (file) => `${file.table}/${file.period_tag}`);
      const sum = (files: FakeFile[], of: (file: FakeFile) => number) =>
        files.reduce((total, file) => total + of(file), 0);
      return {
        dataset_id: dataset,
        version: state.version,
        committed_at: now().toISOString(),
        partitions: [...partitions.values()].map((some) => ({
          table: some[0].table,
          period_tag: some[0].period_tag,
          files: some.length,
          rows: sum(some, (file) => file.row_count),
          bytes: sum(some, (file) => file.byte_length),
          uncompressed_bytes: sum(some, (file) => file.uncompressed_bytes),
          quarantined_files: some.filter((file) => file.state === "quarantined").length,
          last_uploaded_at: some.map((file) => file.uploaded_at).sort().at(-1),
          schemas: [...Map.groupBy(some, (file) => file.schema_fingerprint)].map((
            [fingerprint, same],
          ) => ({ fingerprint, files: same.length, rows: sum(same, (file) => file.row_count) })),
        })),
        schemas: schemasOf(files),
        next_cursor: end < all.length ? String(end) : null,
      };
    },
    getFile(i) {
      const file = state.files.find(({ id }) => id === i.file) ?? fail("not_found", String(i.file));
      own(i.user, file.dataset_id);
      return file;
    },
    requestCompaction({ user, dataset, table = null, priority = "manual" }) {
      own(user, dataset);
      const keys = new Map(
        visible().filter((file) =>
          file.dataset_id === dataset && (table === null || file.table === table)
        ).map((file) => [`${file.table}/${file.period_tag}`, file]),
      );
      const requested = [...keys.values()].map(({ table, period_tag }) => ({
        table,
        period_tag,
        metricId: wake(dataset, table, period_tag, priority),
      }));
      return {
        instanceId: requested[0]?.metricId ?? crypto.randomUUID(),
        dataset_id: dataset,
        partitions: requested.length,
        requested,
        cursor: null,
      };
    },
    runStatus(i) {
      const run = state.runs.find(({ id }) => id === i.run) ?? fail("run_not_found", i.run);
      if (i.user !== null && state.owners.get(run.dataset) !== i.user) fail("run_not_found", i.run);
      return { instanceId: run.id, status: run.status, error: run.error, decision: run.decision };
    },
    catalogHealth: () => ({ ok: true, queues: {} }),
    triggerScheduled: () => ({ datasets: [], partitions: 0, more: false }),
    objectLimit() {
      const { maxObjectBytes = null, maxAssetBytes: max_asset_bytes } = options;
      return { max_object_bytes: maxObjectBytes, max_asset_bytes };
    },
    claimCompaction(i) {
      const run = state.runs.find((one) => one.status === "queued");
      if (run === undefined) return { claimed: false, reason: "empty" };
      run.status = "running";
      run.leased = true;
      run.token = ++token;
      run.attempts++;
      const files = visible().filter((file) =>
        file.dataset_id === run.dataset && file.table === run.table &&
        file.period_tag === run.periodTag
      );
      return {
        claimed: true,
        run_id: run.id,
        dataset_id: run.dataset,
        table: run.table,
        period_tag: run.periodTag,
        user_id: state.owners.get(run.dataset),
        priority: run.priority,
        token: run.token,
        lease_expires_at: new Date(now().getTime() + i.leaseSeconds * 1000).toISOString(),
        lease_seconds: i.leaseSeconds,
        claimed_at: now().toISOString(),
        attempt: run.attempts,
        demand_seq: 0,
        forced: run.priority === "manual",
        trial: false,
        outputs_committed: run.commits.size,
        settings: { ...defaults, ...options.settings },
        steps: {},
        files,
        schemas: schemasOf(files),
        more: false,
        cursor: null,
      };
    },
    listFragments: () => ({ files: [], schemas: {}, more: false, cursor: null }),
    stageOutput(i) {
      const run = lease(i.run, i.token);
      const key =
        `battle_compacted/${run.dataset}/${run.table}/${run.periodTag}/${i.run}-${i.token}-${i.n}.parquet`;
      return { object_key: key, expires_at: null, committed: false, answer: null };
    },
    commitCompaction(i) {
      const done = state.runs.find(({ id }) => id === i.run)?.commits.get(i.n);
      if (done !== undefined) return { ...done, replayed: true };
      const run = lease(i.run, i.token);
      if (i.n !== run.commits.size) {
        fail("invalid_request", `the next commit is ${run.commits.size}`);
      }
      const inputs = visible().filter(({ id }) => i.inputs.includes(id));
      if (inputs.length !== i.inputs.length) fail("inputs_changed", "an input is gone");
      if (inputs.length > 0) {
        state.version++;
        for (const input of inputs) input.removed_version = state.version;
        state.files.push({
          ...inputs[0],
          ...i.output,
          id: ++fileId,
          start_byte: 0,
          byte_length: i.output.size,
          level: 1 + Math.max(...inputs.map(({ level }) => level)),
          seq_min: Math.min(...inputs.map(({ seq_min }) => seq_min)),
          seq_max: Math.max(...inputs.map(({ seq_max }) => seq_max)),
          added_version: state.version,
          removed_version: null,
        });
      }
      run.decision = i.result.decision;
      const requeued = i.last && i.result.more;
      if (i.last) {
        run.leased = false;
        run.status = requeued ? "queued" : "success";
      }
      const answer = {
        version: state.version,
        run_status: run.status,
        requeued,
        replayed: false,
        commits: run.commits.size + 1,
        lease_seconds: i.last ? null : 300,
      };
      run.commits.set(i.n, answer);
      return answer;
    },
    renewLease(i) {
      lease(i.run, i.token);
      return { lease_expires_at: now().toISOString(), lease_seconds: i.seconds };
    },
    recordStep(i) {
      lease(i.run, i.token);
      return { step: i.step };
    },
    quarantineFile(i) {
      lease(i.run, i.token);
      const file = visible().find(({ id }) => id === i.file) ??
        fail("inputs_changed", String(i.file));
      file.state = "quarantined";
      file.quarantine_code = i.code;
      file.quarantine_reason = i.reason;
      return { file_id: i.file, state: "quarantined", changed: true };
    },
    setApart(i) {
      lease(i.run, i.token);
      let changed = 0;
      for (const { id, kind, reason } of i.files) {
        const file = visible().find((one) => one.id === id);
        if (file === undefined) continue;
        const mark = { kind, reason, planner: i.planner };
        if (file.apart?.kind !== kind || file.apart?.planner !== i.planner) changed++;
        file.apart = mark;
      }
      return { changed };
    },
    failCompaction(i) {
      const run = lease(i.run, i.token);
      run.leased = false;
      if (i.class === "environment") run.attempts--;
      const dead = i.class !== "environment" && (i.permanent || run.attempts >= 3);
      run.status = dead ? "error" : "queued";
      run.error = { code: i.code, message: i.message, step: i.step };
      return { status: dead ? "dead" : "retry", retry_at: null };
    },
  };

  const hooked = Object.fromEntries(
    Object.entries(methods).map((
      [method, effect],
    ) => [method, async (input: unknown = {}, { signal }: { signal?: AbortSignal } = {}) => {
      const call: CatalogCall = { method, input, signal };
      state.calls.push(call);
      await options.before?.(call);
      const answer = structuredClone(await effect(input));
      await options.after?.(call);
      return answer;
    }]),
  );
  return { ...hooked, state } as unknown as FakeCatalog;
}

/** The fake: `state`, and the methods of the catalog that it knows. */
// deno-lint-ignore no-explicit-any -- the ports' own types hold where it is passed
export type FakeCatalog = { state: FakeState } & Record<string, any>;

/** The sums of a dataset's files. */
function totalsOf(files: FakeFile[]) {
  const totals = { files: files.length, rows: 0, bytes: 0, uncompressed_bytes: 0 };
  for (const file of files) {
    totals.rows += file.row_count;
    totals.bytes += file.byte_length;
    totals.uncompressed_bytes += file.uncompressed_bytes;
  }
  return totals;
}
