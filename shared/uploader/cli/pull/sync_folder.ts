/**
 * Makes a folder hold the files of one version, and can't hurt: everything is downloaded beside before
 * anything changes, a switch that is cut off is ended by the next pull, and what is removed was put there
 * by a pull and is still as it was.
 */
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SedimentError } from "../../../errors.ts";
import { Semaphore } from "../../retry/semaphore.ts";
import type { DataFile } from "../answers.ts";
import { type Downloaded, downloadFile } from "./download_file.ts";
import { lookAt } from "./hash_file.ts";
import {
  type PulledFile,
  pulledPath,
  type PullState,
  readPullState,
  writePullState,
} from "./pull_state.ts";
import { incoming, inFolder, isThere, refused, refuseLink } from "./pulled_folder.ts";
import { endSwitch, type SyncedFile } from "./switch_version.ts";

/** What a folder is to hold. */
export interface Wanted {
  url: string;
  datasetId: string;
  version: number;
  files: DataFile[];
  /** Whether a file of that table and period is among what was asked for: only such ones are compared. */
  isAsked(table: string, period: string): boolean;
  /** Another URL of a file; null when the version has it no more. */
  renew(file: DataFile): Promise<string | null>;
}

/** How a pull goes. */
export interface SyncOptions {
  /** Files of older versions stay. */
  keep: boolean;
  concurrency: number;
  signal: AbortSignal;
  onFile?: (line: SyncedFile) => void;
}

/** What a pull came to. */
export interface Synced {
  /** Version that the folder holds now. */
  version: number | null;
  /** Whether the folder was switched to the version that was asked for. */
  switched: boolean;
  lines: SyncedFile[];
  /** The files that make the folder's version. */
  files: PulledFile[];
}

/**
 * Syncs. @throws `invalid_config` for a folder that is of another dataset or server, is being pulled into,
 * or has files in the way; nothing was changed then
 */
export async function syncFolder(
  folder: string,
  wanted: Wanted,
  options: SyncOptions,
): Promise<Synced> {
  return await inFolder(folder, () => syncLocked(folder, wanted, options));
}

async function syncLocked(
  folder: string,
  wanted: Wanted,
  { keep, concurrency, signal, onFile = () => {} }: SyncOptions,
): Promise<Synced> {
  const lines: SyncedFile[] = [];
  const tell = (line: SyncedFile) => {
    lines.push(line);
    onFile(line);
  };
  const { url, datasetId, version } = wanted;
  const found = await readPullState(folder);
  if (found && (found.url !== url || found.dataset_id !== datasetId)) {
    throw refused(folder, `it holds dataset ${found.dataset_id} of ${found.url}`);
  }
  let state: PullState = found ??
    { v: 1, url, dataset_id: datasetId, version: 0, files: [] };
  if (state.next) state = await endSwitch(folder, state, keep, tell);

  // Looked at before anything is downloaded: what is there already, and what is in the way.
  for (const below of new Set(wanted.files.map((file) => dirname(pathOf(file))))) {
    await refuseLink(join(folder, dirname(below)));
    await refuseLink(join(folder, below));
  }
  const known = new Map(state.files.map((file) => [file.path, file]));
  const have: PulledFile[] = [];
  const missing: DataFile[] = [];
  for (const file of wanted.files) {
    const path = pathOf(file);
    const entry = known.get(path);
    const look = entry ? await lookAt(folder, entry, false) : await isThere(folder, path);
    if (look === "foreign") throw refused(folder, `${path} is in the way: no pull put it there`);
    if (look === "gone") missing.push(file);
    else {
      have.push({ ...entry!, superseded: undefined });
      const status = look === "same" ? "unchanged" : "left";
      const message = look === "same" ? undefined : "it was changed here";
      tell({ path, status, size: file.size, code: message && "changed_here", message });
    }
  }

  const fetched: PulledFile[] = [];
  let failed = 0;
  const gate = new Semaphore(concurrency);
  await Promise.all(missing.map((file) =>
    gate.run(async () => {
      const path = pathOf(file);
      const to = incoming(folder, path);
      const got: Downloaded = signal.aborted
        ? { status: "failed", code: "aborted", message: "the pull was ended before its turn" }
        : await downloadFile(file, to, wanted.renew, signal);
      if (got.status === "downloaded") {
        const { mtimeMs } = await stat(to);
        const { size } = file;
        const entry = { path, size, sha256: got.sha256, modified_ms: mtimeMs };
        fetched.push({ ...entry, table: file.table, period: file.period_tag });
      } else if (got.status === "failed") failed++;
      tell({ path, size: file.size, ...got, ...("sha256" in got ? { sha256: undefined } : {}) });
    })
  ));
  // Half of a version is none: the old one stays whole, and the next pull goes on.
  if (failed > 0 || signal.aborted) {
    return { version: found ? state.version : null, switched: false, lines, files: current(state) };
  }
  const others = state.files.filter(({ table, period }) => !wanted.isAsked(table, period));
  const files = [...others, ...have, ...fetched];
  const next = { version, files };
  await writePullState(folder, { ...state, next });
  state = await endSwitch(folder, { ...state, next }, keep, tell);
  return { version, switched: true, lines, files: current(state) };
}

const current = (state: PullState) => state.files.filter(({ superseded }) => !superseded);

/** Where a file of the server goes; its names are the server's, and none may lead out of the folder. */
function pathOf({ id, table, period_tag, url }: DataFile): string {
  const areWords = [table, period_tag, id].every((name) => /^(string|number)$/.test(typeof name));
  const path = areWords ? `${table}/${period_tag}/${id}.parquet` : "";
  if (pulledPath.test(path) && (url === undefined || /^https?:/.test(url))) return path;
  const told = JSON.stringify({ id, table, period_tag, url });
  throw new SedimentError("unexpected_answer", `a file is listed as ${told}`, {
    expected: `a path of ${pulledPath.source}, at an http or https URL`,
  });
}
