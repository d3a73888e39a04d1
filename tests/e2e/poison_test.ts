import { strict as assert } from "node:assert";
import { join } from "node:path";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import { call, sha256, signUp, until, uploadForm } from "../support/client.ts";
import { startCompactor } from "../support/compactor_process.ts";
import { openDuckdb } from "../support/duckdb.ts";

/** What a hosted isolate may have, over all that it serves. */
const limitBytes = 256 * 1024 * 1024;

/** Files that harm nobody, and their rows. */
const sound = 499;
const rowsOfOne = 20;

Deno.test("among 500 files the one that kills its process at 256 MB is found, and the rest is merged", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-poison-" });
  const duckdb = await openDuckdb();
  const stack = await startStack({ cronSeconds: { sediment_sweep: 0.5, sediment_leases: 0.5 } });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  let ended = false;
  try {
    await sql`update public.service_settings set max_workers = 0, realtime_delay_seconds = 0,
      backoff_base_seconds = 1, backoff_cap_seconds = 1, idle_recheck_seconds = 1, min_inputs = 2`;
    const user = await signUp(stack, "poison@example.com");
    const dataset = crypto.randomUUID();
    const upload = async (path: string) => {
      const bytes = await Deno.readFile(path);
      const answer = await call(stack, "POST", "/battle-data/upload", {
        headers: user.headers,
        body: uploadForm({
          dataset_id: dataset,
          table: "t",
          period_tag: "0",
          file_size: bytes.length,
          content_hash: sha256(bytes),
        }, bytes),
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const listed = await call(
        stack,
        "GET",
        `/battle-data/latest?dataset_id=${dataset}&limit=1000`,
        { headers: user.headers },
      );
      return Number(listed.body.files.at(-1).id); // they come in upload order
    };
    const columns = (letters: number) =>
      ["a", "b", "c", "d", "e"].map((name) => `range || repeat('${name}', ${letters}) as ${name}`);
    await duckdb.run(
      `copy (select ${columns(1)}, range // ${rowsOfOne} as n from range(${sound * rowsOfOne}))
      to '${folder}' (format parquet, compression zstd, partition_by (n))`,
    );
    const places = Array.from({ length: sound }, (_, n) => n);
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let n = places.pop(); n !== undefined; n = places.pop()) {
        await upload(join(folder, `n=${n}`, "data_0.parquet"));
      }
    }));
    // Five pages of 24 MB, of few bytes as stored. The planner would see to it: it is told less of the file than there
    // is, as of any whose facts mislead.
    const path = join(folder, "killer.parquet");
    await duckdb.run(
      `copy (select ${
        columns(3000)
      } from range(8000)) to '${path}' (format parquet, compression zstd)`,
    );
    const killer = await upload(path);
    await sql`update public.battle_files k set uncompressed_bytes = o.uncompressed_bytes,
      value_count = o.value_count, merge_facts = o.merge_facts
      from (select * from public.battle_files x where x.id <> ${killer} limit 1) o where k.id = ${killer}`;
    // by hand, so that files of all sizes meet
    const asked = await call(stack, "POST", "/compaction", {
      headers: user.headers,
      json: { datasetId: dataset },
    });
    assert.equal(asked.status, 202, JSON.stringify(asked.body));

    let deaths = 0;
    const platform = (async () => {
      while (!ended) {
        const compactor = await startCompactor(stack, { SEDIMENT_LEASE_SECONDS: "30" });
        const died = await compactor.diesAbove(limitBytes, () => ended);
        if (!died) continue;
        deaths++;
        // as time would, and sooner
        await sql`update public.partitions set lease_expires_at = clock_timestamp()
          where lease_expires_at is not null`;
      }
    })();
    const found = until("the killer is found and the rest merged", 120, async () => {
      const [row] = await sql`select
        (select count(*)::int from public.battle_files where removed_version is null
          and state = 'active' and level = 0) as fragments,
        (select count(*)::int from public.partitions where msg_id is not null
          or isolation is not null) as open`;
      return row.fragments === 0 && row.open === 0;
    });
    await found.catch(async (error) => {
      const [partition] =
        await sql`select last_decision, isolation, staged_inputs, due_at, ready_at,
        queue, lease_expires_at, dead_since from public.partitions`;
      throw new Error(`${error}; ${deaths} deaths; ${JSON.stringify(partition)}`);
    });
    ended = true;
    await platform;
    const bad = await sql`select id, quarantine_code, quarantine_reason from public.battle_files
      where state = 'quarantined'`;
    assert.deepEqual(bad.map(({ id, quarantine_code }) => [Number(id), quarantine_code]), [
      [killer, "worker_died"],
    ]);
    assert.match(bad[0].quarantine_reason, /8000 rows/);
    const [{ rows }] = await sql`select sum(row_count)::int as rows from public.battle_files
      where removed_version is null and state = 'active'`;
    assert.equal(rows, sound * rowsOfOne);
    assert.equal((await sql`select 1 from public.dead_letters`).length, 0);
    assert.ok(deaths >= 3 && deaths <= 16, `${deaths} workers died`);
  } finally {
    ended = true;
    await sql.end({ timeout: 1 });
    await stack.stop();
    duckdb.closeSync();
    await Deno.remove(folder, { recursive: true });
  }
});
