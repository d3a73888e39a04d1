/** `sediment sql`: a question to DuckDB, with a view of each table set up. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listFiles } from "./api.ts";
import { openProject } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { duckdbScript, writeScript } from "./pull/duckdb_script.ts";
import { runDuckdb } from "./pull/run_duckdb.ts";
import { scriptName } from "./pull.ts";
import { queryOf, selection } from "./selection.ts";
import { createTerminal } from "./terminal.ts";

/** `sediment sql` */
export const sql: Command = {
  name: "sql",
  says: "ask DuckDB, with a view of each table set up",
  synopsis: "QUERY --dataset ID | --in DIR",
  teaches:
    `Runs a query in DuckDB, in which each table of the dataset is a view: over signed URLs, for which DuckDB
needs its httpfs extension (it installs that by itself where it has the internet), or with --in over
a folder that \`sediment pull\` has filled. DuckDB is the \`duckdb\` of the PATH (or DUCKDB), or the npm
package @duckdb/node-api where that is installed.`,
  examples: [
    ['sediment sql "select count(*) from battles" --dataset 0b3f1c58-…', "reads in place"],
    ['sediment sql "from battles limit 5" --in data/ --json', "rows as JSON lines"],
  ],
  options: { ...selection, in: { value: "DIR", says: "a pulled folder to read instead" } },
  arity: [1, 1],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const [query] = input.positionals;
    const folder = await mkdtemp(join(tmpdir(), "sediment-sql-"));
    try {
      // URLs are not for the eyes of those who list processes: they go by a file.
      const path = join(folder, scriptName);
      await writeScript(path, await viewsFor(input));
      return await runDuckdb(path, query, input.is("json"), terminal);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function viewsFor(input: Input): Promise<string> {
  const pulled = input.text("in");
  if (pulled !== undefined) {
    return await readFile(join(pulled, scriptName), "utf8").catch(() => {
      throw new UsageError(`${pulled} has no ${scriptName}: sediment pull --out ${pulled}`);
    });
  }
  const query = { ...queryOf(input), signed: "1" };
  const { files, version } = await listFiles(await openProject(input), query);
  const viewed = files.flatMap(({ table, url }) => url ? [{ table, place: url }] : []);
  return duckdbScript(viewed, `version ${version}`);
}
