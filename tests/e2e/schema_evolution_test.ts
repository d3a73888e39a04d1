import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, type TestUser, until, uploadForm } from "../support/client.ts";
import { literal, multisetDifference, openDuckdb, readParquet, rows } from "../support/duckdb.ts";

/** A table over the years: what each fragment's rows are made of, n from 0 to 49. */
const generations = [
  "n::integer as id, n::integer as v, 'first ' || n as name",
  "n::integer + 100 as id, n::integer as v, 'added ' || n as name, n / 4 as extra, [n, null, n + 1] as list",
  "n::integer + 200 as id, n::integer as v",
  "'moved ' || n as name, n::integer as v, n::integer + 300 as id",
  "n::integer + 400 as id, (n + 5000000000)::bigint as v, 'wide ' || n as name",
];
const strangers = [
  "n::integer + 500 as id, 'no number ' || n as v, 'odd ' || n as name",
  "n::integer + 600 as id, 'nor this ' || n as v, 'odd ' || n as name",
];

interface File {
  id: number;
  level: number;
  state: string;
  url: string;
  row_count: number;
}

Deno.test("fragments of a table whose columns changed become one file, and those of another type a second", async (t) => {
  await using stack = await startStack({ tickSeconds: 0.5 });
  const folder = await Deno.makeTempDir({ prefix: "sediment-evolution-" });
  const duckdb = await openDuckdb(1);
  try {
    const user = await signUp(stack, "evolution@example.com");
    const dataset = crypto.randomUUID();
    const sent: string[] = [];
    // The strangers lie between the others: they must not be in their way.
    const [first, ...others] = generations;
    const all = [first, strangers[0], ...others, strangers[1]];
    const paths = new Map<string, string>();
    for (const [n, columns] of all.entries()) {
      const path = join(folder, `sent-${n}.parquet`);
      await duckdb.run(
        `copy (select ${columns} from range(50) t(n)) to ${literal(path)} (format parquet)`,
      );
      paths.set(columns, path);
      sent.push(path);
    }
    // Runs may begin while uploads still come; the request by hand takes what they left.
    for (const path of sent) await upload(user, dataset, path);
    const asked = await call(stack, "POST", "/compaction", {
      headers: user.headers,
      json: { datasetId: dataset },
    });
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    const files = await until("two files are left", 60, async () => {
      const listed = await manifest(user, dataset);
      return listed.length === 2 && listed;
    });

    await t.step("no row is lost and nothing is in quarantine", () => {
      assert.deepEqual(files.map((file) => file.row_count).sort(), [100, 250]);
      assert.ok(files.every(({ state, level }) => state === "active" && level > 0));
    });

    const read = new Map<number, string>();
    for (const file of files) {
      const path = join(folder, `read-${file.row_count}.parquet`);
      const response = await fetch(file.url);
      assert.equal(response.status, 200);
      await Deno.writeFile(path, new Uint8Array(await response.arrayBuffer()));
      read.set(file.row_count, path);
    }
    const typesOf = async (files: string[]) =>
      new Map(
        (await rows(duckdb, `describe select * from ${readParquet(files)}`))
          .map((row) => [row.column_name, row.column_type]),
      );
    for (const [count, origin] of [[250, generations], [100, strangers]] as const) {
      await t.step(
        `DuckDB reads the ${count} rows as the union by name of what was sent`,
        async () => {
          const inputs = origin.map((columns) => paths.get(columns)!);
          const output = [read.get(count)!];
          assert.deepEqual(
            await multisetDifference(duckdb, readParquet(inputs), readParquet(output)),
            { onlyLeft: 0, onlyRight: 0 },
          );
          assert.deepEqual(await typesOf(output), await typesOf(inputs));
        },
      );
    }

    await t.step("the runs say what was united and what was kept apart", async () => {
      await until("the run that was asked for has ended", 30, async () => {
        const path = `/compaction/status/${asked.body.instanceId}`;
        const { body } = await call(stack, "GET", path, { headers: user.headers });
        assert.notEqual(body.status, "error", JSON.stringify(body));
        return body.status === "success";
      });
      const decisions = (await decisionsOf(stack.adminDbUrl, dataset)).join("\n");
      assert.match(decisions, /schemas united/);
      assert.match(decisions, /groups of schemas stay apart: .*\bv\b/);
    });
  } finally {
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});

async function decisionsOf(url: string, dataset: string): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const found = await sql`select decision from public.processing_metrics
      where dataset_id = ${dataset} and decision is not null order by queued_at`;
    return found.map((row) => row.decision as string);
  } finally {
    await sql.end();
  }
}

async function manifest(user: TestUser, dataset: string): Promise<File[]> {
  const query = new URLSearchParams({ dataset_id: dataset, signed: "1" });
  const { data, error } = await user.client.functions.invoke(`battle-data/chunks?${query}`, {
    method: "GET",
  });
  if (error) throw error;
  return data.files;
}

async function upload(user: TestUser, dataset: string, path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  const metadata = {
    dataset_id: dataset,
    table: "battles",
    kc_period_tag: "2024-11-25",
    file_size: String(bytes.length),
    content_hash: sha256(bytes),
  };
  const { error } = await user.client.functions.invoke("battle-data/upload", {
    body: uploadForm(metadata, bytes),
  });
  if (error) throw error;
}
