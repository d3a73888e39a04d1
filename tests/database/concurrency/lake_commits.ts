/** What commits do to files of the lake, with time between their statements for others. */
import type postgres from "postgres";

/**
 * Commits one after another to a dataset, each of which takes some of its files out and puts others in for the same rows.
 *
 * @param rows of the dataset, at each of its versions
 * @param seed which files, and how many
 */
export async function commitToLake(
  sql: postgres.Sql,
  dataset: string,
  digest: string,
  rows: number,
  commits: number,
  seed: number,
): Promise<void> {
  for (let commit = 1; commit <= commits; commit++) {
    await sql.begin(async (tx) => {
      await tx`select 1 from datasets where id = ${dataset} for no key update`;
      const taken = commit === 1 ? [{ row_count: rows }] : await tx`
        update battle_files set removed_version = ${commit}
        where id in (select id from battle_files where dataset_id = ${dataset} and removed_version is null
          order by id limit ${1 + (seed + commit) % 3})
        returning row_count::int`;
      const left = taken.reduce((sum, { row_count }) => sum + row_count, 0);
      const parts = Math.min(left, 1 + (seed * 7 + commit) % 4);
      for (let part = 0; part < parts; part++) {
        await tx`select pg_sleep(0.001)`;
        const count = Math.floor(left * (part + 1) / parts) - Math.floor(left * part / parts);
        const key = `${dataset}/${commit}/${part}`;
        await tx`insert into objects (object_key, kind, state, put_deadline) values (${key}, 'compacted', 'stored', now())`;
        await tx`insert into battle_files (dataset_id, "table", period_tag, run_id, ordinal, object_key, start_byte, byte_length,
          level, seq_min, seq_max, row_count, row_group_count, uncompressed_bytes, added_version, uploaded_by, uploaded_at,
          schema_digest, lake_version)
          values (${dataset}, 't', '0', gen_random_uuid(), 0, ${key}, 0, 100, 1, 1, 1, ${count}, 1, 1, ${commit}, ${dataset}, now(),
            ${digest}, 1)`;
      }
    });
  }
}
