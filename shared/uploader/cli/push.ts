/** `sediment push`: files to the service, by way of the pending folder. */
import process from "node:process";
import { systemClock } from "../../clock.ts";
import { namePattern } from "../../protocol/names.ts";
import type { Pause } from "../retry/service_machine.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openPendingFolder, openProject, openSettings, openUploader } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { ownDataset, ownDatasetSettings, sayDatasets } from "./own_dataset.ts";
import { pauseText } from "./pause_text.ts";
import { oldFolder } from "./pending_folders.ts";
import { exitCodeOf } from "./push/account.ts";
import { dryRun } from "./push/dry_run.ts";
import { findFiles, type FoundFile, refuseMisplaced } from "./push/find_files.ts";
import { Push } from "./push/push_files.ts";
import { pushOnce, watch } from "./push/push_paths.ts";
import { readSource } from "./push/read_file.ts";
import { type PushInput, PushReport } from "./push/report.ts";
import { createTerminal } from "./terminal.ts";
import { waitForRuns } from "./wait_for_run.ts";

/** `sediment push` */
export const push: Command = {
  name: "push",
  says: "send Parquet and Avro files; what can't be sent now is kept and sent later",
  synopsis: "DIR|FILE… --dataset ID [--table NAME] [--period TAG]",
  teaches:
    `Saves each file in the pending folder, then sends it. What is saved is not lost, whatever happens (no
network, an expired session, a server in trouble): it goes with the next push (when its time has
come) or \`sediment retry\` (now), once. Ctrl-C ends in order: what was not begun is named, and the
summary adds up to the files. The same bytes for the same table and period are one upload.

Folders say to which table a file belongs, as DIR/TABLE/PERIOD/file or as
DIR/table=TABLE/period=PERIOD/file; else --table does. Nothing is guessed.

exit codes: 0 all are stored or were there · 1 some are dead (see \`sediment dead\`), failed or were
passed over, or with --wait a run failed · 2 not understood, nothing was sent · 3 some are pending
(or, with --wait, a run has not ended) · 130 ended by Ctrl-C`,
  examples: [
    ["sediment push exports/ --dataset 0b3f1c58-… ", "all files below, by their folders' names"],
    ["sediment push exports/ --dataset 0b3f1c58-… --dry-run", "what that would send, and where to"],
    [
      "sediment push battle.parquet --dataset 0b3f1c58-… --table battle --period 2024-11-25",
      "one file",
    ],
    ["sediment push out/ --dataset 0b3f1c58-… --watch", "stays, and sends files as they come"],
    [
      "sediment push out/ --dataset 0b3f1c58-… --json | jq 'select(.status == \"pending\")'",
      "for scripts: a line for each file, then the summary",
    ],
  ],
  options: {
    dataset: { value: "ID", says: "the dataset's UUID (or SEDIMENT_DATASET)" },
    table: { value: "NAME", says: "table of all files" },
    period: { value: "TAG", says: 'period tag of all files of --table (default "0")' },
    "dry-run": { says: "only say what would be sent, and to which table" },
    watch: { says: "stay, and send new and changed files as they come" },
    wait: { says: "wait until what was sent is compacted; fail when a run does" },
    "no-send": { says: "only save; send later with `sediment retry`" },
    "own-dataset": ownDataset,
    concurrency: { value: "N", says: "files under way at once (4)" },
  },
  arity: [1, Infinity],
  async run(input) {
    const dataset = datasetOf(input);
    const given = givenOf(input);
    const concurrency = input.text("concurrency");
    const terminal = createTerminal(input.is("json"));
    const code = {
      retry: { item_interval_seconds: 0 },
      // What is no number is left to the check of the settings, which names it.
      upload: {
        ...(concurrency ? { concurrency: numberOr(concurrency) } : {}),
        ...ownDatasetSettings(input),
      },
    };
    const settings = await openSettings(input, code);
    const { path } = await openPendingFolder(input);
    const where = { ...given, except: [oldFolder, ...(path === null ? [] : [path])] };
    const found = await findFiles(input.positionals, where);
    if (!input.is("watch")) refuseMisplaced(found.misplaced);
    if (input.is("dry-run")) return dryRun(found, input.is("json"), terminal);
    const project = await openProject(input);
    const report = new PushReport(input, terminal);
    const interrupted = new AbortController();
    const { signal } = interrupted;
    let pusher: Push<PushInput> | null = null;
    const uploader = await openUploader(input, {
      code,
      say: terminal.say,
      onEvent: (event) => pusher?.heard(event),
    });
    pusher = new Push<PushInput>({
      uploader,
      clock: systemClock,
      concurrency: settings.upload.concurrency,
      signal,
      send: !input.is("no-send"),
      metaOf: (file) => metaOf(file as FoundFile, dataset),
      sizeOf: (file) => (file as FoundFile).size,
      read: (file) => readSource(file as FoundFile),
      onEnd: (entry) => report.entry(entry),
      onProgress: (done) => report.progress(done, pusher!.account.counts()),
    });
    let endedBy: NodeJS.Signals | null = null;
    const endSignals = onInterrupt((name) => {
      endedBy = name;
      interrupted.abort();
    });
    try {
      const parts = { pusher, report, terminal, signal };
      if (input.is("watch")) {
        uploader.start();
        await watch(parts, input.positionals, where);
      } else await pushOnce(parts, found, input.positionals);
      const waited = input.is("wait")
        ? await waitForRuns(pusher.runs, project, terminal, signal)
        : { failed: 0, left: 0 };
      const counts = pusher.account.counts();
      const { state, park, pause } = uploader.state();
      const inFolder = (await uploader.pending()).length;
      if (input.is("json")) {
        report.json(pusher.account, {
          others: pusher.others,
          pending_in_folder: inFolder,
          state,
          ...(input.is("wait") ? { runs_failed: waited.failed, runs_left: waited.left } : {}),
          ...(endedBy ? { ended_by: endedBy } : {}),
        });
      } else {
        if (inFolder > 0) {
          const waiting = pusher.account.entries().findLast(({ status }) => status === "pending");
          terminal.say(pendingText(inFolder, park, pause, waiting?.code));
        }
        if (settings.upload.own_dataset) {
          const keys = pusher.account.entries().flatMap(({ key }) =>
            key === undefined ? [] : [key]
          );
          sayDatasets(keys, dataset, terminal);
        }
        if (counts.dead > 0) terminal.say("sediment dead says why the dead ones were refused");
        if (counts.not_begun > 0) terminal.say("what was not begun goes with the same push again");
      }
      // A watch has no other end than a signal.
      if (endedBy !== null && !input.is("watch")) return 128 + signalNumbers[endedBy as "SIGINT"];
      return exitCodeOf(counts) || (waited.failed > 0 ? 1 : waited.left > 0 ? 3 : 0);
    } finally {
      endSignals();
      await uploader.stop();
    }
  },
};

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

function metaOf(file: FoundFile, dataset: string) {
  return {
    kind: "fragment" as const,
    dataset_id: dataset,
    table: file.table,
    period_tag: file.period,
    format: file.format,
    file_name: file.path,
  };
}

function datasetOf(input: Input): string {
  const dataset = input.text("dataset") ?? process.env.SEDIMENT_DATASET;
  if (!dataset || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(dataset)) {
    throw new UsageError(`push needs --dataset, a UUID${dataset ? `, not ${dataset}` : ""}`);
  }
  return dataset;
}

function givenOf(input: Input): { table?: string; period?: string } {
  const given = { table: input.text("table"), period: input.text("period") };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !namePattern.test(value)) {
      throw new UsageError(
        `--${name} is ${JSON.stringify(value)}; expected letters, digits, _ and -, up to 64`,
      );
    }
  }
  return given;
}

function pendingText(
  count: number,
  park: { refused: string | null } | null,
  pause: Pause | null,
  code: string | undefined,
): string {
  const why = park
    ? park.refused === null ? "nobody is signed in" : "the session is refused"
    : pause?.why === "offline"
    ? pauseText(pause)
    : code;
  const then = park
    ? "sediment login, then sediment retry"
    : code === "dataset_forbidden"
    ? "sediment retry, when its owner has invited you, or with --own-dataset"
    : "sediment retry";
  return `${count} pending${why ? ` (${why})` : ""}; later: ${then}`;
}

function numberOr(text: string): number {
  return Number.isNaN(Number(text)) ? text as unknown as number : Number(text);
}
