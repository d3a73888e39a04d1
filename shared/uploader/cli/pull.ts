/** `sediment pull` and `sediment rm`: a dataset's files on this machine. */
import { join, resolve } from "node:path";
import process from "node:process";
import type { DataFile } from "./answers.ts";
import { listFiles } from "./api.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openProject, type Project } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { duckdbScript, removeScript, type ViewedFile, writeScript } from "./pull/duckdb_script.ts";
import { emptyFolder, type SyncedFile } from "./pull/switch_version.ts";
import { syncFolder } from "./pull/sync_folder.ts";
import { type ManifestQuery, queryOf, selection } from "./selection.ts";
import { bytes, createTerminal, type Terminal } from "./terminal.ts";

/** The script's name in a pulled folder. */
export const scriptName = "sediment.sql";

/** `sediment pull` */
export const pull: Command = {
  name: "pull",
  says: "make a folder hold a version's files, or write a DuckDB script that reads them in place",
  synopsis: "--dataset ID [--table NAME] [--out DIR] [--keep | --duckdb]",
  teaches:
    `Makes OUT/TABLE/PERIOD/ hold the files of a version, and OUT/${scriptName} a view of each table for
DuckDB. The next pull brings what is new, and removes what the new version doesn't have: files that a
pull put there and that nobody has changed, nothing else. A pull that is cut off leaves the old
version whole, and the next one goes on. A folder is of one dataset.

With --duckdb nothing is downloaded: OUT/${scriptName} reads by signed URLs (--out - prints it). They
end after a while; until then anyone who has the script can read.

exit codes: 0 the folder holds the version · 1 a file can't be read, or one that should be gone or
replaced was changed here and was left · 2 not understood, or a folder of something else · 130 Ctrl-C`,
  examples: [
    ["sediment pull --dataset 0b3f1c58-… --out data/", "downloads, and again: brings what is new"],
    [`duckdb -init data/${scriptName}`, "a view of each table"],
    ["sediment pull --dataset 0b3f1c58-… --duckdb --out here/", "reads in place"],
    [
      "sediment pull --url https://… --key sdk_9f2c… --dataset 0b3f1c58-…",
      "by a read-only key, without an account",
    ],
  ],
  options: {
    ...selection,
    out: { value: "DIR", says: "where to (default: the current folder)" },
    keep: { says: "files of older versions stay" },
    duckdb: { says: "only write the script, over signed URLs" },
  },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const project = await openProject(input);
    const query: ManifestQuery = { ...queryOf(input), signed: "1" };
    const out = input.text("out") ?? ".";
    const { version, files } = await listFiles(project, query);
    if (input.is("duckdb")) return await writeUrls(files, version, out, input, terminal);
    const bar = terminal.bar("pull", files.length);
    const interrupted = new AbortController();
    const endSignals = onInterrupt(() => interrupted.abort());
    try {
      let done = 0, size = 0;
      const synced = await syncFolder(out, {
        url: project.url,
        datasetId: query.dataset_id.toLowerCase(),
        version,
        files,
        isAsked: (table, period) => isAsked(query, table, period),
        renew: renewer(project, query, version),
      }, {
        keep: input.is("keep"),
        concurrency: 4,
        signal: interrupted.signal,
        onFile: (line) => {
          tell(line, input, terminal);
          if (line.status === "downloaded") size += line.size;
          if (["downloaded", "unchanged"].includes(line.status)) bar.set(++done, bytes(size));
        },
      });
      if (synced.switched) {
        const viewed = synced.files.map(({ table, path }) => ({
          table,
          place: resolve(out, path),
        }));
        const about = `dataset ${query.dataset_id}, version ${version}, as pulled into this folder`;
        const path = join(out, scriptName);
        if (!await writeScript(path, duckdbScript(viewed, about))) terminal.say(notOurs(path));
      }
      const counts = countsOf(synced.lines);
      bar.end(
        synced.switched
          ? `version ${version}: ${files.length - counts.unreadable} files; ${countsText(counts)}`
          : `not whole, so ${
            synced.version === null ? "nothing" : `version ${synced.version}`
          } is what the folder holds; ${countsText(counts)}`,
      );
      if (input.is("json")) {
        const { version: now, switched } = synced;
        terminal.out(
          JSON.stringify({ summary: { version: now, switched, ...counts, bytes: size } }),
        );
      } else if (files.length === 0) terminal.say("there are no files");
      if (interrupted.signal.aborted) return 130;
      return counts.unreadable + counts.left + counts.failed > 0 ? 1 : 0;
    } finally {
      endSignals();
    }
  },
};

/** `sediment rm` */
export const rm: Command = {
  name: "rm",
  says: "remove what pull has put into a folder, and nothing else",
  synopsis: "DIR",
  teaches:
    `Removes the files of a pulled folder that are as they were pulled. What was changed here, and whatever
else is in the folder, stays. At the server nothing changes. Exit code 1 when something was left.`,
  examples: [["sediment rm data/", "the reverse of sediment pull --out data/"]],
  options: {},
  arity: [1, 1],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const [folder] = input.positionals;
    const counts = await emptyFolder(folder, (line) => tell(line, input, terminal));
    if (counts === null) throw new UsageError(`${folder} is no folder that was pulled into`);
    await removeScript(join(folder, scriptName));
    if (input.is("json")) terminal.out(JSON.stringify({ summary: counts }));
    else terminal.say(`removed ${counts.removed}${counts.left ? ` · left ${counts.left}` : ""}`);
    return counts.left > 0 ? 1 : 0;
  },
};

const notOurs = (path: string) => `${path} is left as it is: it is no script of a pull`;

async function writeUrls(
  files: DataFile[],
  version: number,
  out: string,
  input: Input,
  terminal: Terminal,
): Promise<number> {
  const unreadable = files.filter(({ url }) => url === undefined);
  const viewed = files.flatMap(({ table, url }): ViewedFile[] =>
    url ? [{ table, place: url }] : []
  );
  const about = `version ${version}, by URLs that end at ${files.at(0)?.url_expires_at ?? "once"}`;
  const script = duckdbScript(viewed, about);
  const path = join(out, scriptName);
  if (out === "-") terminal.out(script);
  else if (!await writeScript(path, script)) throw new UsageError(notOurs(path));
  const tables = new Set(viewed.map(({ table }) => table)).size;
  if (input.is("json")) {
    const summary = { version, path, tables, files: viewed.length, unreadable: unreadable.length };
    if (out !== "-") terminal.out(JSON.stringify({ summary }));
  } else if (out !== "-") terminal.out(path);
  if (unreadable.length > 0) terminal.say(`${unreadable.length} files can't be read`);
  return unreadable.length > 0 ? 1 : 0;
}

function renewer(project: Project, query: Record<string, string | undefined>, version: number) {
  let listing: Promise<Map<string, string | undefined>> | null = null;
  let listedAt = 0;
  return async (file: DataFile) => {
    // One listing serves all files whose URLs have ended together.
    if (listing === null || Date.now() - listedAt > 10_000) {
      listedAt = Date.now();
      listing = listFiles(project, { ...query, version: String(version) })
        .then(({ files }) => new Map(files.map(({ id, url }) => [String(id), url])));
    }
    return (await listing).get(String(file.id)) ?? null;
  };
}

/** Whether a table and period are among what a query asks for, as the service compares. */
function isAsked(
  { table, period_tag, from, to }: Record<string, string | undefined>,
  ofTable: string,
  ofPeriod: string,
): boolean {
  return (table === undefined || table === ofTable) &&
    (period_tag === undefined || period_tag === ofPeriod) &&
    (from === undefined || ofPeriod >= from) && (to === undefined || ofPeriod <= to);
}

const statuses = [
  "downloaded",
  "unchanged",
  "removed",
  "kept",
  "left",
  "unreadable",
  "failed",
] as const;

function countsOf(lines: SyncedFile[]): Record<typeof statuses[number], number> {
  const counts = Object.fromEntries(statuses.map((status) => [status, 0]));
  for (const { status } of lines) counts[status]++;
  return counts as Record<typeof statuses[number], number>;
}

function countsText(counts: Record<string, number>): string {
  return statuses.filter((status) => status === "downloaded" || counts[status] > 0)
    .map((status) => `${status} ${counts[status]}`).join(" · ");
}

function tell(line: SyncedFile, input: Input, terminal: Terminal): void {
  const { path, status, code, message } = line;
  if (input.is("json")) return terminal.out(JSON.stringify({ path, status, code, message }));
  const why = message === undefined ? "" : `  ${code}: ${message}`;
  const wrong = ["left", "unreadable", "failed"].includes(status);
  if (wrong) terminal.say(`${status} ${path}${why}`);
  else if (!process.stderr.isTTY && status === "downloaded") terminal.out(path);
}
