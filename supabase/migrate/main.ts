/**
 * `deno task migration NAME`: drafts the migration that brings a database of supabase/migrations to what
 * supabase/schemas says. A person reviews, completes and commits it.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { migrationFiles, repositoryMigrations } from "../local/migrate.ts";
import { startScratchCluster, withClient } from "../local/postgres/scratch_cluster.ts";
import { compareDatabases } from "./compare.ts";
import { type Draft, draftMigrations, warnings } from "./draft.ts";
import {
  type Landed,
  landedFaults,
  landedOnMain,
  readLanded,
  sha256,
  writeLanded,
} from "./landed.ts";
import { readCallables, releasedFile } from "./released.ts";
import { runFile, runMigrations, runSchemas } from "./run_files.ts";

const usage = `deno task migration NAME [--again]
  drafts supabase/migrations/<time>_NAME.sql from the difference between the migrations' database and the schemas'
  --again  in place of the migrations that have not landed: after a rebase, or when the schemas have changed again
deno task migration --release
  writes down that every migration has landed, so that nobody changes them, and what the release's functions call,
  so that nobody takes it away before the next one`;

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: { again: { type: "boolean" }, release: { type: "boolean" } },
  });
  const listed = await readLanded();
  const landed = new Map([...await landedOnMain(listed), ...listed]);
  const faults = (await landedFaults(landed)).filter((fault) =>
    !(values.again && fault.includes("comes before"))
  );
  if (faults.length > 0) stop(faults.join("\n"));
  if (values.release) await release();
  else if (positionals.length !== 1) stop(usage);
  else await draft(positionals[0], { again: values.again ?? false, landed });
}

async function release(): Promise<void> {
  const landed: Landed = new Map();
  for (const file of await migrationFiles(repositoryMigrations)) {
    landed.set(file, sha256(await Deno.readTextFile(join(repositoryMigrations, file))));
  }
  await writeLanded(landed);
  await using cluster = await startScratchCluster();
  const called = await withClient(cluster.url("postgres", "postgres"), async (sql) => {
    await runMigrations(sql);
    return await readCallables(sql);
  });
  await Deno.writeTextFile(releasedFile, `${JSON.stringify(called, null, 2)}\n`);
  console.log(
    `${landed.size} migrations have landed, ${Object.keys(called).length} functions are released`,
  );
}

async function draft(
  name: string,
  { again, landed }: { again: boolean; landed: Landed },
): Promise<void> {
  if (!/^[a-z][a-z0-9]*(_[a-z0-9]+)+$/.test(name)) {
    stop(`${name}: a verb and what it does it to, in lower case, joined by _`);
  }
  const own = (await migrationFiles(repositoryMigrations)).filter((file) => !landed.has(file));
  const replaced = again ? own : [];
  if (!again && own.some((file) => file.endsWith(`_${name}.sql`))) {
    stop(`${name} is there and has not landed: edit it, or draft it anew with --again`);
  }

  await using cluster = await startScratchCluster();
  const url = (database: string) => cluster.url("postgres", database);
  for (const database of ["migrated", "declared"]) await cluster.copyDatabase("postgres", database);
  await Promise.all([
    withClient(url("migrated"), (sql) => runMigrations(sql, undefined, replaced)),
    withClient(url("declared"), runSchemas),
  ]);
  const difference = await compareDatabases(url("migrated"), url("declared"));
  const drafts = draftMigrations(name, difference);

  await cluster.copyDatabase("migrated", "drafted");
  let failure = "";
  try {
    await withClient(url("drafted"), async (sql) => {
      for (const { name, text } of drafts) await runFile(sql, name, text);
    });
  } catch (error) {
    failure = `The draft fails: ${(error as Error).message}`;
  }
  // only now: schemas that don't run must not cost what was written by hand
  for (const file of replaced) await Deno.remove(join(repositoryMigrations, file));
  const written = await write(drafts);

  for (const file of replaced) {
    console.log(`${file} is gone: what was written into it by hand must go into the new one`);
  }
  for (const file of written) console.log(`drafted supabase/migrations/${file}`);
  for (const warning of warnings(difference)) console.log(`look at it: ${warning}`);
  if (failure) stop(failure);
  const rest = await compareDatabases(url("drafted"), url("declared"));
  const left = [
    ...rest.actions.map(({ sql }) => sql),
    ...rest.facts.map(({ kind, name, is, should }) =>
      `${kind} of ${name}: is ${is ?? "not there"}, should be ${should ?? "not there"}`
    ),
  ];
  if (left.length > 0) stop(`It does not get there; left for you:\n${left.join("\n")}`);
  console.log(
    written.length === 0
      ? "the migrations make what the schemas say: nothing to do"
      : "with it the migrations make what the schemas say",
  );
}

/** Gives each draft its time: now, but after all that is there. */
async function write(drafts: Draft[]): Promise<string[]> {
  const last = (await migrationFiles(repositoryMigrations)).at(-1)?.slice(0, 14) ?? "";
  const written: string[] = [];
  let time = Date.now();
  const stamp = () => new Date(time).toISOString().replace(/\D/g, "").slice(0, 14);
  for (const { name, text } of drafts) {
    while (stamp() <= (written.at(-1)?.slice(0, 14) ?? last)) time += 1000;
    const file = `${stamp()}_${name}.sql`;
    await Deno.writeTextFile(join(repositoryMigrations, file), text);
    written.push(file);
  }
  return written;
}

function stop(message: string): never {
  console.error(message);
  Deno.exit(1);
}
