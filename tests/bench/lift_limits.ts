import type { Sql } from "postgres";

/** Lifts the limits of a user's pace, for a bench in which one makes what thousands would. */
export async function liftLimits(sql: Sql): Promise<void> {
  await sql`update public.service_settings set uploads_per_minute = null, datasets_max = null,
    partitions_per_minute = null, schemas_per_minute = null`;
}
