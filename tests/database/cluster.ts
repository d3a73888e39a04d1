/**
 * PostgreSQL clusters for the catalog's tests: 17 from npm, as the embedded stack runs it, and the machine's own
 * 15 where Debian's packages are. Each is what a hosted project is before its first migration; a database of it
 * gets the migrations and the pgmq version that a test asks for.
 */
import {
  type ScratchCluster,
  startScratchCluster,
  withClient,
} from "../../supabase/local/postgres/scratch_cluster.ts";
import { superuser } from "../../supabase/local/postgres/server.ts";
import { runMigrations } from "../../supabase/migrate/run_files.ts";
import { debianTree } from "./debian_postgres.ts";

export { withClient };

export interface TestDatabase {
  /** As the role postgres, who owns the catalog and is no superuser. */
  url: string;
  /** As the superuser. */
  adminUrl: string;
}

export interface Cluster extends Pick<ScratchCluster, "stop">, AsyncDisposable {
  /**
   * A new database.
   *
   * @param options.pgmq version of the extension to create first @default the newest
   * @param options.migrated whether the migrations are applied @default true
   */
  newDatabase(options?: { pgmq?: string; migrated?: boolean }): Promise<TestDatabase>;
}

/** Starts a cluster in a temporary folder; disposing stops it and removes the folder. */
export async function startCluster(major: 15 | 17 = 17): Promise<Cluster> {
  const scratch = await startScratchCluster(
    major === 17 ? {} : { otherTree: (root, donor) => debianTree(major, root, donor) },
  );
  const prepare = async (name: string, pgmq: string | undefined, migrated: boolean) => {
    await scratch.copyDatabase("postgres", name);
    await withClient(scratch.url(superuser, name), async (sql) => {
      await sql.unsafe(`create extension if not exists pgtap with schema extensions`);
    });
    await withClient(scratch.url("postgres", name), async (sql) => {
      if (pgmq) await sql.unsafe(`create extension pgmq version '${pgmq}'`);
      if (migrated) await runMigrations(sql);
    });
  };

  let count = 0;
  let template: Promise<void> | undefined;
  return {
    async newDatabase({ pgmq, migrated = true } = {}) {
      const name = `test_${++count}`;
      if (pgmq || !migrated) await prepare(name, pgmq, migrated);
      else {
        await (template ??= prepare("migrated", undefined, true));
        await scratch.copyDatabase("migrated", name);
      }
      return { url: scratch.url("postgres", name), adminUrl: scratch.url(superuser, name) };
    },
    stop: scratch.stop,
    [Symbol.asyncDispose]: () => scratch[Symbol.asyncDispose](),
  };
}
