/** `sediment ls` and `sediment pull`: the data files of a dataset. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { SedimentError } from "../../errors.ts";
import { Gate } from "../retry/gate.ts";
import { namePattern } from "../../protocol/names.ts";
import { type DataFile, listFiles } from "./api.ts";
import { openProject } from "./open.ts";
import { type Command, type Input, type Option, UsageError } from "./options.ts";
import { bytes, createTerminal, table } from "./terminal.ts";

const selection: Record<string, Option> = {
  dataset: { value: "ID", says: "the dataset's UUID (or SEDIMENT_DATASET)" },
  table: { value: "NAME", says: "one table" },
  period: { value: "TAG", says: "one period tag" },
  from: { value: "TAG", says: "first period tag" },
  to: { value: "TAG", says: "last period tag" },
  version: { value: "N", says: "as of a version (default: the newest)" },
};

/** `sediment ls` */
export const ls: Command = {
  name: "ls",
  says: "the data files of a dataset, as readers see them",
  synopsis: "--dataset ID [--table NAME]",
  teaches:
    `Lists the files that a version of the dataset shows: fragments (level 0) and what compaction made of
them. Their rows together are exactly the rows of all acknowledged uploads.`,
  examples: [["sediment ls --dataset 0b3f1c58-… --table battle", "one table's files"]],
  options: selection,
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const query = queryOf(input);
    const { version, files } = await listFiles(await openProject(input), query);
    if (input.is("json")) {
      for (const file of files) terminal.out(JSON.stringify(file));
      return 0;
    }
    const rows = files.map((file) => [
      file.id,
      file.table,
      file.period_tag,
      file.level,
      file.state,
      file.row_count,
      file.row_group_count,
      bytes(file.size),
    ]);
    const head = ["id", "table", "period", "level", "state", "rows", "groups", "size"];
    for (const line of table(head, rows)) terminal.out(line);
    const total = files.reduce((sum, file) => sum + file.size, 0);
    const count = files.reduce((sum, file) => sum + file.row_count, 0);
    terminal.say(`version ${version}: ${files.length} files, ${count} rows, ${bytes(total)}`);
    return 0;
  },
};

/** `sediment pull` */
export const pull: Command = {
  name: "pull",
  says: "download a dataset's files, or print the DuckDB line that reads them in place",
  synopsis: "--dataset ID [--table NAME] [--out DIR | --duckdb]",
  teaches:
    `Downloads the files of a version into OUT/TABLE/PERIOD/. With --duckdb nothing is downloaded: a
select over read_parquet with signed URLs is printed, one a table, ready for \`duckdb -c\`. The URLs end
after a while; until then anyone who has the line can read.`,
  examples: [
    ["sediment pull --dataset 0b3f1c58-… --out data/", "downloads"],
    ['duckdb -c "$(sediment pull --dataset 0b3f1c58-… --table battle --duckdb)"', "reads in place"],
  ],
  options: {
    ...selection,
    out: { value: "DIR", says: "where to (default: the current folder)" },
    duckdb: { says: "print SQL instead" },
    select: { value: "SQL", says: "what to select (default: *)" },
  },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const query = { ...queryOf(input), signed: "1" };
    const { files } = await listFiles(await openProject(input), query);
    if (files.length === 0) {
      terminal.say("there are no files");
      return 1;
    }
    if (input.is("duckdb")) {
      const tables = Map.groupBy(files, (file) => file.table);
      for (const [name, members] of tables) {
        const urls = members.map((file) => `'${file.url!.replaceAll("'", "''")}'`).join(", ");
        const select = input.text("select") ?? "*";
        const sql = `select ${select} from read_parquet([${urls}], union_by_name = true);`;
        terminal.out(input.is("json") ? JSON.stringify({ table: name, sql }) : sql);
      }
      return 0;
    }
    const bar = terminal.bar("pull", files.length);
    const gate = new Gate(4);
    let done = 0, size = 0;
    await Promise.all(files.map((file) =>
      gate.run(async () => {
        const path = await download(file, input.text("out") ?? ".");
        size += file.size;
        bar.set(++done, bytes(size));
        if (input.is("json")) terminal.out(JSON.stringify({ id: file.id, path }));
        else if (!process.stderr.isTTY) terminal.out(path);
      })
    ));
    bar.end(`${files.length} files, ${bytes(size)}`);
    return 0;
  },
};

async function download(file: DataFile, out: string): Promise<string> {
  // The names are the server's: none of them may lead out of the folder.
  if (![file.table, file.period_tag, file.id].every(isName)) {
    const { id, table, period_tag } = file;
    const told = JSON.stringify({ id, table, period_tag });
    throw new SedimentError("unexpected_answer", `a file is listed as ${told}`, {
      expected: `an id and names of ${namePattern.source}`,
    });
  }
  if (!/^https?:/.test(file.url ?? "")) {
    throw new SedimentError("unexpected_answer", `file ${file.id} is at ${file.url}`, {
      expected: "an http or https URL",
    });
  }
  const folder = join(out, file.table, file.period_tag);
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${file.id}.parquet`);
  const response = await fetch(file.url!, { signal: AbortSignal.timeout(600_000) })
    .catch((cause) => {
      throw new SedimentError("server_unreachable", `file ${file.id}: ${cause.message}`, { cause });
    });
  if (!response.ok) {
    throw new SedimentError("store_failed", `file ${file.id}: HTTP ${response.status}`);
  }
  const content = new Uint8Array(await response.arrayBuffer());
  if (content.length !== file.size) {
    throw new SedimentError("size_mismatch", `file ${file.id}: ${content.length} bytes came`, {
      expected: `${file.size} bytes`,
    });
  }
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
  return path;
}

function isName(value: unknown): boolean {
  return (typeof value === "string" || typeof value === "number") && namePattern.test(`${value}`);
}

function queryOf(input: Input): Record<string, string | undefined> {
  const dataset = input.text("dataset") ?? process.env.SEDIMENT_DATASET;
  if (!dataset) throw new UsageError("--dataset is needed, the UUID of the dataset");
  return {
    dataset_id: dataset,
    table: input.text("table"),
    period_tag: input.text("period"),
    from: input.text("from"),
    to: input.text("to"),
    version: input.text("version"),
  };
}
