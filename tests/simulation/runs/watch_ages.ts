/** Watches what ends by its age for I13: nothing that is too young, and what the checks have to know of it. */
import { decodeRows } from "./rows.ts";
import type { World } from "./world.ts";

/** Makes a call of the catalog; of one that ended rows it notes which. */
export async function watchAges(
  world: World,
  method: string,
  call: () => Promise<unknown>,
): Promise<unknown> {
  const answer = await call();
  if (method !== "endAged") return answer;
  const { dataset_id: dataset, version } = answer as {
    dataset_id: string | null;
    version: number | null;
  };
  if (version === null) return answer;
  const { sql } = world.database;
  const files = await sql`
    select object_key as key, start_byte as start, byte_length as length, "table", period_tag as period
    from public.battle_files where dataset_id = ${dataset} and removed_version = ${version}`;
  for (const { key, start, length, table, period } of files) {
    const bytes = world.decayed.get(key) ?? world.store.objects.get(key)?.bytes;
    if (bytes === undefined) {
      world.violations.push(`I2: ${key} was shown until version ${version}, and is not stored`);
      continue;
    }
    const { rows } = decodeRows(bytes.subarray(Number(start), Number(start) + Number(length)));
    for (const row of rows) world.ended.push({ dataset: dataset!, row, version });
    if (table === "latest" || table === "battles" && !/-/.test(period)) {
      world.violations.push(
        `I13: rows of ${table}/${period} ended, and nothing says that they should`,
      );
    }
    if (table !== "items") continue;
    const [{ young }] = await sql`
      select max(l.version)::int as young from simulation.ledger l
      where l.dataset = ${dataset} and l.version < ${version}
        and l.hash = any (${
      world.uploads.filter((upload) => upload.rows.some((row) => rows.includes(row)))
        .map(({ hash }) => hash)
    }) and (l.answer ->> 'uploaded_at')::timestamptz
          > simulation.clock() - make_interval(secs => ${keepRowsSeconds})
        and not exists (select 1 from public.deletions x where x.dataset_id = l.dataset and x.version > l.version)`;
    if (young !== null) {
      world.violations.push(`I13: a row of version ${young} ended before its time at ${version}`);
    }
  }
  return answer;
}

/** What a seed sets for the table `items`: so short that merges bring rows together of which some are old already. */
export const keepRowsSeconds = 90;
