import type { Sql } from "postgres";

/**
 * The Vault secrets that the cron jobs read: on a hosted project an operator makes them once, here the starter
 * does, at every start, since the port may have changed.
 *
 * @param sql superuser connection
 * @param secrets name → value
 */
export async function seedVault(sql: Sql, secrets: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(secrets)) {
    await sql`
      with known as (select id from vault.secrets where name = ${name})
      select case when exists (select from known)
        then (select vault.update_secret(id, ${value})::text from known)
        else vault.create_secret(${value}, ${name}, 'set by the embedded stack')::text end`;
  }
}
