/** The switch of a pulled folder from one version to the next, and the reverse of all pulls. */
import { readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { lookAt } from "./hash_file.ts";
import { type PulledFile, type PullState, readPullState, writePullState } from "./pull_state.ts";
import { incoming, inFolder, isThere, makeFolder } from "./pulled_folder.ts";

/** What became of one file. */
export interface SyncedFile {
  path: string;
  /** `left`: it is to go, or to be replaced, and somebody has changed it: it stays. */
  status: "downloaded" | "unchanged" | "removed" | "kept" | "left" | "unreadable" | "failed";
  size: number;
  code?: string;
  message?: string;
}

/**
 * Puts what was downloaded in its place, removes what the new version doesn't have, and writes that down. May
 * be repeated from any point.
 */
export async function endSwitch(
  folder: string,
  state: PullState,
  keep: boolean,
  tell: (line: SyncedFile) => void,
): Promise<PullState> {
  const { version, files } = state.next!;
  for (const { path } of files) {
    const from = incoming(folder, path);
    if (await stat(from).then(() => false, () => true)) continue;
    const to = join(folder, path);
    for (const below of [dirname(dirname(path)), dirname(path)]) {
      await makeFolder(join(folder, below));
    }
    if (await isThere(folder, path) === "gone") await rename(from, to);
  }
  const names = new Set(files.map(({ path }) => path));
  const stay: PulledFile[] = [];
  for (const file of state.files) {
    const { path, size } = file;
    if (names.has(path)) continue;
    const look = keep ? "same" : await lookAt(folder, file, true);
    if (look === "gone") continue;
    if (look === "same" && !keep) {
      await rm(join(folder, path));
      await removeEmpty(folder, dirname(path));
      tell({ path, size, status: "removed" });
      continue;
    }
    stay.push({ ...file, superseded: true });
    const message = "the version has it no more, and it was changed here";
    tell({
      path,
      size,
      ...(keep ? { status: "kept" } : { status: "left", code: "changed_here", message }),
    });
  }
  const { v: _, next: __, ...rest } = { ...state, version, files: [...files, ...stay] };
  await writePullState(folder, rest);
  for (const name of await readdir(join(folder, ".sediment", "incoming"))) {
    await rm(join(folder, ".sediment", "incoming", name), { force: true });
  }
  return { v: 1, ...rest };
}

/** Removes what pulls have put into a folder and is unchanged, and nothing else. */
export async function emptyFolder(
  folder: string,
  onFile: (line: SyncedFile) => void,
): Promise<{ removed: number; left: number } | null> {
  if (await readPullState(folder) === null) return null;
  const counts = { removed: 0, left: 0 };
  const tell = (line: SyncedFile) => {
    counts[line.status === "removed" ? "removed" : "left"]++;
    onFile(line);
  };
  await inFolder(folder, async () => {
    const state = await readPullState(folder);
    const all = [...state?.files ?? [], ...state?.next?.files ?? []];
    const files = [...new Map(all.map((file) => [file.path, file])).values()];
    await endSwitch(folder, { ...state!, files, next: { version: 0, files: [] } }, false, tell);
  });
  if (counts.left === 0) {
    await rm(join(folder, ".sediment"), { recursive: true });
    await rmdir(folder).catch(() => {}); // not empty: the rest is somebody's
  }
  return counts;
}

async function removeEmpty(folder: string, below: string): Promise<void> {
  for (const path of [below, dirname(below)]) {
    // ENOTEMPTY: something else is in it
    if (!await rmdir(join(folder, path)).then(() => true, () => false)) return;
  }
}
