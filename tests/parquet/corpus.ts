/**
 * `deno task corpus FOLDER [--json]`: takes every Parquet file below a folder through the checks of an
 * upload, merges each with itself, with a variant of fewer columns in another order and one of wider types, and with the
 * next file of its folder, on every path of the merge, sorted and deduplicated; compares rows and types with DuckDB in
 * three time zones and filtered queries with the unfiltered truth, and opens outputs with hyparquet, parquet-wasm and
 * polars. Exits 1 when something differs.
 */
import { parseArgs } from "node:util";
import { dirname, join } from "node:path";
import { openDuckDb } from "./duckdb_rows.ts";
import { Examiner } from "./corpus/examine_file.ts";

const { values, positionals: [folder] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { json: { type: "boolean", default: false } },
});
if (folder === undefined) {
  console.error("usage: deno task corpus FOLDER [--json]");
  Deno.exit(2);
}

async function filesBelow(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(path)) {
    const child = join(path, entry.name);
    if (entry.isDirectory) found.push(...await filesBelow(child));
    else if (entry.name.endsWith(".parquet")) found.push(child);
  }
  return found.sort();
}

const files = await filesBelow(folder);
const report = {
  files: files.length,
  accepted: 0,
  refused: 0,
  merges: 0,
  queries: 0,
  opened: 0,
  different: 0,
};
const refusals: Record<string, string> = {};
const differences: Record<string, string[]> = {};
const unread: Record<string, string[]> = {};
const temporary = await Deno.makeTempDir({ prefix: "sediment-corpus-" });
const { connection, close } = await openDuckDb();
try {
  const examiner = new Examiner(connection, temporary);
  for (const [i, path] of files.entries()) {
    const next = files[i + 1];
    const found = await examiner.examine(
      path,
      next !== undefined && dirname(next) === dirname(path) ? next : undefined,
    );
    const name = path.slice(folder.length).replace(/^\//, "");
    if (found.refusal !== undefined) {
      report.refused++;
      refusals[name] = found.refusal;
      continue;
    }
    report.accepted++;
    report.merges += found.merges;
    report.queries += found.queries;
    report.opened += found.opened;
    report.different += found.different.length;
    if (found.unreadBy.length > 0) unread[name] = found.unreadBy;
    if (found.different.length > 0) {
      differences[name] = found.different;
      for (const one of found.different) console.error(`${name}: ${one}`);
    }
  }
} finally {
  close();
  await Deno.remove(temporary, { recursive: true });
}
if (values.json) console.log(JSON.stringify({ ...report, refusals, differences, unread }));
else {
  console.log(report);
  for (const [name, reason] of Object.entries(refusals)) console.log(`refused ${name}: ${reason}`);
  for (const [name, by] of Object.entries(unread)) {
    console.log(`${name} is not read by ${by.join(", ")}`);
  }
}
Deno.exit(report.different > 0 ? 1 : 0);
