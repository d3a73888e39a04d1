/**
 * The main job on real parts, from nothing: start a Supabase, sign a user up, send many small Parquet files
 * over HTTP, wait until they are compacted, and let DuckDB compare what comes back with what was sent.
 */
import { createClient } from "@supabase/supabase-js";
import { basename, join } from "node:path";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { type Fragment, makeFragments } from "../support/fragments.ts";
import { DemoLake } from "./lake.ts";
import { compact, manifest, type ManifestFile, type Session, upload } from "./client.ts";
import { byTable, compareTables, measure } from "./compare.ts";
import { type DemoOptions, readOptions } from "./options.ts";
import { pool } from "./pool.ts";
import { ProgressBar } from "./progress.ts";
import { printAttach, printTable, type Summary } from "./report.ts";

const options = readOptions(Deno.args);
const say = (text: string) => console.error(text);
const folder = await Deno.makeTempDir({ prefix: "sediment-demo-" });
let stack: Stack | undefined;
let stopping: Promise<void> | undefined;

const cleanUp = () =>
  stopping ??= (async () => {
    await stack?.stop();
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  })();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    await cleanUp();
    Deno.exit(130);
  });
}

let summary: Summary | undefined;
try {
  summary = await run(options);
  if (options.json) console.log(JSON.stringify(summary));
  if (options.keep) await kept();
} catch (error) {
  if (!stopping) say(`demo: ${(error as Error).message ?? error}`);
} finally {
  await cleanUp();
}
Deno.exit(summary?.equal ? 0 : 1);

async function run(options: DemoOptions): Promise<Summary> {
  if (options.input) await checkInput(options.input);
  const started = performance.now();
  if (!options.url) stack = await startStack({ quiet: true, tickSeconds: 2 });
  const url = options.url ?? stack!.url;
  const session = await signUp(url, options.key ?? stack!.publishableKey);
  const startSeconds = seconds(started);
  say(`start     ${url} in ${startSeconds} s, signed in as a new user`);

  const files = await collect(options);
  const datasetId = crypto.randomUUID();
  // a real store's keys are not ours to print
  const lake = stack?.s3
    ? await DemoLake.open(stack, new Set(files.map(({ table }) => table)))
    : undefined;

  const uploadStarted = performance.now();
  const { accepted, refused } = await uploadAll(session, datasetId, files);
  const uploadSeconds = seconds(uploadStarted);
  for (const { file, status, code, detail } of refused) {
    say(`refused   ${basename(file.path)}: ${status} ${code}: ${detail}`);
  }
  if (accepted.length === 0) throw new Error("no file was accepted");

  const sent = byTable(accepted);
  const before = await measure(sent);
  const compactStarted = performance.now();
  const after = await waitUntilCompacted(session, datasetId, accepted);
  const compactSeconds = seconds(compactStarted);

  const downloads = join(folder, "downloads");
  await Deno.mkdir(downloads);
  const compared = await compareTables(sent, after, downloads, lake?.added);
  const measured = await measure(compared.read);
  for (const table of compared.notCompared) {
    say(
      `left out  ${table}: DuckDB can't read what was sent, so what it was merged to has no measure`,
    );
  }
  for (const table of compared.byBytes) say(`by bytes  ${table}: DuckDB can't read what was sent`);
  for (const line of compared.differences) say(`differs   ${line}`);

  const rowsInLake = await lake?.count() ?? null;

  const summary: Summary = {
    fragments: accepted.length,
    refused: refused.length,
    rows_sent: compared.rowsSent,
    rows_read: compared.rowsRead,
    equal: compared.equal,
    not_compared: compared.notCompared.length,
    files_before: accepted.length,
    files_after: after.length,
    row_groups_before: before.rowGroups,
    row_groups_after: measured.rowGroups,
    bytes_before: before.bytes,
    bytes_after: measured.bytes,
    scan_ms_before: before.scanMs,
    scan_ms_after: measured.scanMs,
    rows_in_lake: rowsInLake,
    seconds: { start: startSeconds, upload: uploadSeconds, compact: compactSeconds },
  };
  printTable(summary, compared.over);
  if (lake) printAttach(lake.statements, summary, options.keep);
  return summary;
}

/** Until a signal ends the process. */
function kept(): Promise<never> {
  return new Promise(() => {});
}

/** A folder that can't be read is told before a whole stack is started. */
async function checkInput(folder: string): Promise<void> {
  const info = await Deno.stat(folder).catch(() => null);
  if (info?.isDirectory) return;
  say(`demo: --input ${folder} is ${info ? "no folder" : "not there"}`);
  await cleanUp();
  Deno.exit(2);
}

async function signUp(url: string, key: string): Promise<Session> {
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  const { data, error } = await client.auth.signUp({
    email: `demo-${crypto.randomUUID()}@example.com`,
    password: crypto.randomUUID(),
  });
  if (error) throw new Error(`sign-up failed: ${error.message}`);
  if (!data.session) throw new Error("sign-up gave no session: is e-mail confirmation on?");
  return { url, publishableKey: key, accessToken: data.session.access_token };
}

async function collect(options: DemoOptions): Promise<Fragment[]> {
  if (!options.input) {
    const bar = new ProgressBar("make", options.fragments);
    let made = 0;
    const fragments = await makeFragments(
      folder,
      options.fragments,
      options.rows,
      () => bar.set(++made),
    );
    bar.end(`${fragments.length} fragments of ${options.rows} rows`);
    return fragments;
  }
  const found: Fragment[] = [];
  for await (const path of parquetFiles(options.input)) {
    const table = basename(path).replace(/\.[^.]*$/, "").replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(
      0,
      64,
    );
    for (let copy = 0; copy < options.copies; copy++) {
      const place = copy === 0 ? path : join(folder, `${copy}-${table}-${found.length}.parquet`);
      if (copy > 0) await Deno.writeFile(place, padded(await Deno.readFile(path), copy));
      found.push({ table, periodTag: "0", path: place, rowCount: 0 });
    }
  }
  if (found.length === 0) throw new Error(`no *.parquet below ${options.input}`);
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

/**
 * The same rows in another file: `count` zero bytes before the footer, which no offset of a Parquet file
 * counts from the end. A file too short to have a footer stays as it is.
 */
function padded(bytes: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  if (bytes.length < 12) return new Uint8Array(bytes);
  const footerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(
    bytes.length - 8,
    true,
  );
  const footerStart = Math.max(4, bytes.length - 8 - footerLength);
  const copy = new Uint8Array(bytes.length + count);
  copy.set(bytes.subarray(0, footerStart));
  copy.set(bytes.subarray(footerStart), footerStart + count);
  return copy;
}

async function* parquetFiles(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* parquetFiles(path);
    else if (entry.name.endsWith(".parquet")) yield path;
  }
}

type Refusal = { file: Fragment; status: number; code: string; detail: string };

async function uploadAll(session: Session, datasetId: string, files: Fragment[]) {
  const bar = new ProgressBar("upload", files.length);
  const accepted: Fragment[] = [];
  const refused: Refusal[] = [];
  let done = 0;
  await pool(files, 8, async (file) => {
    const bytes = await Deno.readFile(file.path);
    const outcome = await upload(session, datasetId, file.table, file.periodTag, bytes);
    if (outcome.accepted) accepted.push(file);
    else if (outcome.status < 500) refused.push({ file, ...outcome });
    else throw new Error(`${file.path}: ${outcome.status} ${outcome.code}: ${outcome.detail}`);
    bar.set(++done);
  });
  bar.end(`${accepted.length} accepted, ${refused.length} refused`);
  return { accepted, refused };
}

/** Asks for compaction until each table is one healthy set of files, or nothing moves any more. */
async function waitUntilCompacted(
  session: Session,
  datasetId: string,
  sent: Fragment[],
): Promise<ManifestFile[]> {
  const perTable = new Map<string, number>();
  for (const { table } of sent) perTable.set(table, (perTable.get(table) ?? 0) + 1);
  // A table of one file has nothing to merge: it stays a fragment.
  const mergeable = [...perTable.values()].filter((count) => count > 1).reduce((a, b) => a + b, 0);
  const bar = new ProgressBar("compact", mergeable);
  const deadline = performance.now() + 300_000;
  let files: ManifestFile[] = [];
  for (;;) {
    await compact(session, datasetId);
    for (let poll = 0; poll < 20; poll++) {
      files = await manifest(session, datasetId);
      const waiting = files.filter((file) =>
        file.level === 0 && file.state !== "quarantined" && (perTable.get(file.table) ?? 0) > 1
      ).length;
      bar.set(mergeable - waiting, `files now ${files.length}`);
      if (waiting === 0) {
        bar.end(`${sent.length} fragments are ${files.length} files`);
        return files;
      }
      if (performance.now() > deadline) {
        throw new Error(`${waiting} fragments were not compacted`);
      }
      await new Promise((resolve) =>
        setTimeout(resolve, 500)
      );
    }
  }
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 10) / 100;
}
