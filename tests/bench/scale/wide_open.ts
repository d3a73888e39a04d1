/** How long one worker and the successors that it asks for take over a partition of very many tiny fragments. */
import postgres from "postgres";
import { startStack } from "../../../supabase/local/stack.ts";
import { signUp } from "../../support/client.ts";
import { makeFragments } from "../../support/fragments.ts";
import { upload } from "./upload.ts";

/** What it came to. */
export interface WideOpen {
  wide_open_fragments: number;
  /** From when the run was asked for until it had ended. */
  wide_open_seconds: number;
  /** Claims that it took. */
  wide_open_claims: number;
  /** Files that are left. */
  wide_open_files: number;
}

/**
 * See the module's head. One fragment is uploaded, and the catalog told that it has come as many times: what is measured is
 * the work on them, not their coming. Each is read from the store by itself.
 */
export async function wideOpen(
  fragments: number,
  tell: (text: string) => void,
): Promise<WideOpen> {
  const stack = await startStack({});
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const folder = await Deno.makeTempDir({ prefix: "sediment-wide-" });
  try {
    await sql`update public.service_settings set max_workers = 1`;
    const user = await signUp(stack, "wide@example.com");
    const [{ path, rowCount }] = await makeFragments(folder, 1, 10);
    const dataset = crypto.randomUUID();
    await upload(stack, user, dataset, [await Deno.readFile(path)], rowCount);
    await sql`
      insert into public.battle_files (dataset_id, "table", period_tag, upload_id, ordinal, object_key, start_byte,
        byte_length, etag, level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, value_count,
        merge_facts, schema_fingerprint, stats, added_version, uploaded_by, uploaded_at, checksum, schema_digest)
      select f.dataset_id, f."table", f.period_tag, gen_random_uuid(), 0, f.object_key, f.start_byte, f.byte_length,
        f.etag, 0, n, n, f.row_count, f.row_group_count, f.uncompressed_bytes, f.value_count, f.merge_facts,
        f.schema_fingerprint, f.stats, f.added_version, f.uploaded_by, f.uploaded_at, f.checksum, f.schema_digest
      from public.battle_files f, generate_series(2, ${fragments}::int) n where f.dataset_id = ${dataset}`;
    await sql`
      update public.partitions set last_seq = ${fragments}, debt_files = ${fragments}, demand_seq = ${fragments}
      where dataset_id = ${dataset}`;
    await sql`update public.datasets d
      set file_count = t.files, row_count = t.rows, file_size_bytes = t.bytes, uncompressed_bytes = t.uncompressed
      from (select count(*) as files, sum(row_count) as rows, sum(byte_length) as bytes,
        sum(uncompressed_bytes) as uncompressed from public.battle_files where dataset_id = ${dataset}) t
      where d.id = ${dataset}`;
    await sql`analyze`;

    const begun = performance.now();
    const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
    await sql`
      select sediment.wake_partition(dataset_id, "table", period_tag, 'realtime', 'message', 0)
      from public.partitions where dataset_id = ${dataset}`;
    await sql`select public.tick()`;
    while (true) {
      const [{ left, live, token, decision }] = await sql`
        select (select count(*)::int from public.battle_files f
            where f.dataset_id = p.dataset_id and f.removed_version is null) as left,
          p.msg_id is not null as live, p.token::int as token, p.last_decision as decision
        from public.partitions p where p.dataset_id = ${dataset}`;
      tell(`${seconds()} s: ${left} files, ${token} claims: ${decision}`);
      if (!live) {
        return {
          wide_open_fragments: fragments,
          wide_open_seconds: seconds(),
          wide_open_claims: token,
          wide_open_files: left,
        };
      }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } finally {
    await sql.end();
    await stack.stop();
    await Deno.remove(folder, { recursive: true });
  }
}
