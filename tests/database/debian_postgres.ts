/**
 * The machine's PostgreSQL with our extension files added. PostgreSQL finds its share folder relative to its own
 * program, so a copy of Debian's two folders under another root is a whole installation, to which files can be
 * added without touching the machine's.
 */
import { dirname, join } from "node:path";
import type { PostgresTree } from "../../supabase/local/postgres/tree.ts";

/** What is missing for the tests on a Debian PostgreSQL; undefined when nothing is. */
export function missingDebianPostgres(major: number): string | undefined {
  const needed = [
    `/usr/lib/postgresql/${major}/bin/postgres`,
    `/usr/share/postgresql/${major}/extension/pgtap.control`,
  ];
  for (const path of needed) {
    try {
      Deno.statSync(path);
    } catch {
      return `${path} is not here (apt-get install postgresql-${major} postgresql-${major}-pgtap)`;
    }
  }
}

/**
 * @param root where the copy goes
 * @param donor the tree that has pgmq and the stand-ins for pg_cron, pg_net and Vault: SQL files, which fit any
 * version
 */
export async function debianTree(
  major: number,
  root: string,
  donor: PostgresTree,
): Promise<PostgresTree> {
  const [lib, share] = [`usr/lib/postgresql/${major}`, `usr/share/postgresql/${major}`];
  for (const folder of [lib, share]) {
    await Deno.mkdir(dirname(join(root, folder)), { recursive: true });
    await run("cp", "-RL", join("/", folder), join(root, folder));
  }
  const from = join(donor.root, "share", "postgresql", "extension");
  const to = join(root, share, "extension");
  for await (const { name } of Deno.readDir(from)) {
    if (/^(pgmq|pg_cron|pg_net|supabase_vault)\b.*\.(sql|control)$/.test(name)) {
      await Deno.copyFile(join(from, name), join(to, name));
    }
  }
  await Deno.writeTextFile(join(to, "pgmq--1.4.0.sql"), pgmqBase);
  await run("chmod", "-R", "a+rX", root);
  return { root: join(root, lib), digest: `debian-${major}`, env: {} };
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr).trim()}`);
}

/**
 * npm's package of pgmq holds its newest version and every upgrade script, but no older version whole. This
 * declares what 1.4.0 had and the scripts do not create again; `create extension pgmq version '1.4.4'` then
 * runs 1.4.0→1.4.1→…→1.4.4, whose scripts replace every function.
 */
const pgmqBase = `
create table pgmq.meta (
  queue_name varchar unique not null,
  is_partitioned boolean not null,
  is_unlogged boolean not null,
  created_at timestamptz not null default now()
);
create type pgmq.message_record as (
  msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb
);
create type pgmq.queue_record as (
  queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz
);
create type pgmq.metrics_result as (
  queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer,
  total_messages bigint, scrape_time timestamptz
);
create function pgmq.validate_queue_name(queue_name text) returns void language plpgsql as $$
begin
  if length(queue_name) >= 48 then raise exception 'queue name is too long'; end if;
end $$;
create function pgmq._belongs_to_pgmq(table_name text) returns boolean language sql as $$
  select exists (
    select 1 from pg_depend d join pg_class c on c.oid = d.objid
    where d.refobjid = (select e.oid from pg_extension e where e.extname = 'pgmq') and c.relname = table_name)
$$;
`;
