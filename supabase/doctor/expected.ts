/** What this checkout would deploy, read from its files. */
import { functionNames } from "../deploy/bundle.ts";
import { sourceDigest } from "../deploy/source_digest.ts";
import { migrationFiles, repositoryMigrations } from "../local/migrate.ts";
import type { Expected } from "./checkup.ts";

const jobsFile = new URL("../schemas/upkeep/schedule_jobs.sql", import.meta.url);

/** Reads it. */
export async function readExpected(): Promise<Expected> {
  const files = await migrationFiles(repositoryMigrations);
  const jobs = await Deno.readTextFile(jobsFile);
  return {
    functions: await functionNames(),
    build: await sourceDigest(),
    migrations: files.map((file) => file.slice(0, file.indexOf("_"))).sort(),
    jobs: new Map(
      [...jobs.matchAll(/cron\.schedule\('(\w+)', '([^']+)'/g)].map(([, name, schedule]) => [
        name,
        schedule,
      ]),
    ),
  };
}
