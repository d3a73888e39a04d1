/** Which of the files below some paths are pushed, once or as they come. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Terminal } from "../terminal.ts";
import { findFiles, type Found, type FoundFile, type PassedOver } from "./find_files.ts";
import type { Push } from "./push_files.ts";
import type { PushInput, PushReport } from "./report.ts";
import { SettledFiles } from "./settled_files.ts";

/** What a push is made with. */
interface Parts {
  pusher: Push<PushInput>;
  report: PushReport;
  terminal: Terminal;
  signal: AbortSignal;
}

/** Pushes what was found, once. */
export async function pushOnce(
  { pusher, report, terminal }: Parts,
  { files, passedOver }: Found,
  paths: string[],
): Promise<void> {
  passOver(pusher, report, passedOver);
  if (files.length === 0) {
    terminal.say(`there is no .parquet or .avro file under ${paths.join(", ")}`);
  }
  report.begin(files.length);
  await pusher.push(files);
  report.end(pusher.account, pusher.others);
}

/** Looks at the paths again and again, and pushes what is whole and new. */
export async function watch(
  { pusher, report, terminal, signal }: Parts,
  paths: string[],
  where: Parameters<typeof findFiles>[1],
): Promise<void> {
  const settled = new SettledFiles();
  const told = new Set<string>();
  /** Files that could not be saved: the next try at one is the same input. */
  const failed = new Map<string, FoundFile>();
  terminal.say("watching; Ctrl-C ends it");
  while (!signal.aborted) {
    // A path may go and come back; until then it has no files.
    const { files, passedOver, misplaced } = await findFiles(paths, where)
      .catch((): Found => ({ files: [], passedOver: [], misplaced: [] }));
    const strange = [...passedOver, ...misplaced].filter(({ path }) => !told.has(path));
    passOver(pusher, report, strange);
    for (const { path } of strange) told.add(path);
    const whole = await settled.take(files, Date.now());
    if (whole.length > 0 && !signal.aborted) {
      report.begin(whole.length);
      await pusher.push(whole);
      report.end(pusher.account, pusher.others);
      for (const file of whole) {
        const before = failed.get(file.path);
        if (before) pusher.account.forget(before);
        failed.delete(file.path);
        if (pusher.account.of(file)?.status !== "failed") continue;
        failed.set(file.path, file);
        settled.again(file, Date.now());
      }
    }
    await sleep(500, undefined, { signal }).catch(() => {});
  }
  await pusher.settle();
}

function passOver(pusher: Push<PushInput>, report: PushReport, passedOver: PassedOver[]): void {
  for (const one of passedOver) {
    pusher.account.enter(one);
    pusher.account.end(one, "passed_over", { code: "passed_over", message: one.why });
    report.entry(pusher.account.of(one)!);
  }
}
