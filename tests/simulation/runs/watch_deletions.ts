/** Watches calls for I12: nobody is told of a deleted upload that it is there. */
import type { SimulatedDatabase } from "./database.ts";

/** Makes a call of the catalog and looks at what it answered, before anything else can happen. */
export async function watchDeletions(
  { sql }: SimulatedDatabase,
  violations: string[],
  method: string,
  call: () => Promise<unknown>,
): Promise<unknown> {
  const answer = await call();
  if (method !== "commitUpload" && method !== "stageUpload") return answer;
  const first = (method === "stageUpload" ? (answer as { answer: unknown }).answer : answer) as
    | { duplicate: boolean; dataset_id: string; version: number; key: string; runs: unknown }
    | null;
  if (!first?.duplicate) return answer;
  const [{ gone }] = await sql`
    select bool_and(exists (select 1 from public.deletions x
      where x.dataset_id = ${first.dataset_id} and x.version > ${first.version}
        and (x.upload_id is null or position(x.upload_id::text in ${first.key}::text) > 0)
        and (x."table" is null or x."table" = f ->> 'table')
        and (x.period_tag is null or x.period_tag = f ->> 'period_tag'))) as gone
    from jsonb_array_elements(${sql.json(first.runs as never)}::jsonb) f`;
  if (gone) violations.push(`I12: ${first.key} was deleted, and ${method} answers for it`);
  return answer;
}
