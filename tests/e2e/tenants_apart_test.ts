/** What one user uploads never changes a byte of what another's files become. */
import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import postgres from "postgres";
import { createSqlCatalog } from "../support/sql_catalog.ts";
import { systemClock } from "../../shared/clock.ts";
import { takeTurn } from "../../shared/compaction/run/turn.ts";
import { inspectInTurns, inspectParquet } from "../../shared/parquet/inspect/inspect.ts";
import { merge } from "../../shared/parquet/merge/merge.ts";
import { createMemoryStore } from "../support/memory_store.ts";
import { sha256 } from "../../shared/uploads/digests.ts";
import { uploadAtOnce } from "../../shared/uploads/receive_upload.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { type Cluster, startCluster } from "../database/cluster.ts";
import { withFooter } from "../parquet/with_footer.ts";
import fc from "../support/fast_check.ts";

/** A file of whole numbers, its columns with these field ids (0: none), under a root of this name. */
interface FileSpec {
  columns: { name: string; id: number }[];
  root: string;
  value: number;
}

function fileOf({ columns, root, value }: FileSpec): Uint8Array {
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: columns.map(({ name }, n) => ({ name, data: [value, n], type: "INT32" as const })),
    codec: "UNCOMPRESSED",
  }));
  return withFooter(bytes, ({ schema }) => {
    schema[0].name = root;
    columns.forEach(({ id }, n) => schema[n + 1].fieldId = id === 0 ? undefined : id);
  });
}

/** The same columns mostly, in one order, so that fingerprints meet; their ids and the root's name differ. */
const fileSpec = fc.record({
  columns: fc.subarray(["a", "b", "c"], { minLength: 1 }).chain((names) =>
    fc.tuple(...names.map((name) => fc.record({ name: fc.constant(name), id: fc.nat(3) })))
  ),
  root: fc.constantFrom("schema", "root", "spark_schema"),
  value: fc.nat(1000),
});

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const bob = 2, mallory = 1;

/** What becomes of bob's files, with mallory's before them, between them and behind them. */
async function outputsOf(cluster: Cluster, his: FileSpec[], hers: FileSpec[]): Promise<string[]> {
  const { url } = await cluster.newDatabase();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const catalog = createSqlCatalog(sql);
    const store = createMemoryStore();
    const upload = async (user: number, spec: FileSpec, n: number) => {
      const body = fileOf({ ...spec, value: spec.value * 100 + n });
      const request = uploadRequestOf({
        dataset_id: uuid(user * 100),
        table: "t",
        period_tag: "p",
        file_size: body.length,
        content_hash: sha256(body),
      });
      const ports = { catalog, store, inspect: inspectInTurns };
      await uploadAtOnce(ports, uuid(user), request, body, { ttlSeconds: 120 });
    };
    for (let n = 0; n < Math.max(his.length, hers.length); n++) {
      if (n < hers.length) await upload(mallory, hers[n], n);
      if (n < his.length) await upload(bob, his[n], n);
    }
    const ask = { table: "t", periodTag: "p", priority: "manual" };
    const users = hers.length > 0 ? [mallory, bob] : [bob];
    for (const user of users) {
      await catalog.requestCompaction({ ...ask, user: uuid(user), dataset: uuid(user * 100) });
    }
    await sql`update pgmq.q_compaction_manual set vt = clock_timestamp() - interval '1 second'`;
    await sql`update public.partitions set ready_at = clock_timestamp() - interval '1 second'
      where ready_at is not null`;
    const turn = await takeTurn({ catalog, store, merge, clock: systemClock }, {
      worker: "w",
      leaseSeconds: 300,
      turnSeconds: 60,
      turnBytes: 1e9,
      budget: { cpuMs: 1e9, memoryMb: 1e9 },
    });
    assert.equal(turn.runs.length, users.length, JSON.stringify(turn));
    const listed = await catalog.listFiles({ user: uuid(bob), dataset: uuid(bob * 100) });
    return await Promise.all(listed.files.map(async (file) => {
      const bytes = await store.getRange(file.object_key, file.start_byte, file.byte_length);
      const { schema } = await inspectParquet({
        size: bytes.length,
        read: (from, count) => Promise.resolve(bytes.subarray(from, from + count)),
      });
      return `${file.level} ${sha256(bytes)} ${JSON.stringify(schema)}`;
    }));
  } finally {
    await sql.end();
  }
}

Deno.test("whatever another user uploads, one's files become the same bytes", async () => {
  await using cluster = await startCluster(17);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fileSpec, { minLength: 2, maxLength: 5 }),
      fc.array(fileSpec, { minLength: 1, maxLength: 5 }),
      async (his, hers) => {
        const alone = await outputsOf(cluster, his, []);
        assert.ok(alone.some((output) => !output.startsWith("0 ")) || alone.length > 1);
        assert.deepEqual(await outputsOf(cluster, his, hers), alone);
      },
    ),
    { numRuns: 6 },
  );
});

Deno.test("field ids of another's files of one fingerprint are not in an output", async () => {
  await using cluster = await startCluster(17);
  const ids = (a: number, b: number, more: FileSpec["columns"] = []): FileSpec => ({
    columns: [{ name: "a", id: a }, { name: "b", id: b }, ...more],
    root: "schema",
    value: 1,
  });
  const c = [{ name: "c", id: 3 }];
  const his = [ids(1, 2), ids(1, 2, c), ids(1, 2), ids(1, 2, c)];
  const [output, ...others] = await outputsOf(cluster, his, [ids(2, 1), ids(2, 1, c)]);
  assert.deepEqual(others, []);
  const schema = JSON.parse(output.split(" ").slice(2).join(" "));
  assert.deepEqual(
    schema.children.map((
      child: { name: string; field_id: number },
    ) => [child.name, child.field_id]),
    [["a", 1], ["b", 2], ["c", 3]],
  );
});
