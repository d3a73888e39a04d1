/** `sediment push`: files to the service, by way of the pending folder. */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { findFiles, linesOf } from "./find_files.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { openProject, openSettings, openUploader } from "./open.ts";
import { type Command, UsageError } from "./options.ts";
import { Pusher } from "./pusher.ts";
import { SettledFiles } from "./settled_files.ts";
import { createTerminal } from "./terminal.ts";
import { waitForRuns } from "./wait_for_run.ts";

/** `sediment push` */
export const push: Command = {
  name: "push",
  says: "send Parquet and Avro files; what can't be sent now is kept and sent later",
  synopsis: "DIR|FILE… --dataset ID [--table NAME] [--period TAG]",
  teaches:
    `Saves each file in the pending folder, then sends it. Whatever happens (no network, an expired
session, a server in trouble, Ctrl-C), nothing is lost: what is pending goes with the next push
(when its time has come) or \`sediment retry\` (now), once. The same bytes for the same table and period are one upload.

Without --table a folder says it: DIR/TABLE/PERIOD/file, DIR/TABLE/file, or TABLE.parquet.

exit codes: 0 all stored · 3 some pending · 1 some dead (see \`sediment dead\`) · 2 not understood`,
  examples: [
    ["sediment push exports/ --dataset 0b3f1c58-… ", "all files below, by their folders' names"],
    [
      "sediment push battle.parquet --dataset 0b3f1c58-… --table battle --period 2024-11-25",
      "one file",
    ],
    ["sediment push out/ --dataset 0b3f1c58-… --watch", "stays, and sends files as they come"],
    [
      "sediment push out/ --dataset 0b3f1c58-… --json | jq 'select(.status != \"stored\")'",
      "for scripts",
    ],
  ],
  options: {
    dataset: { value: "ID", says: "the dataset's UUID (or SEDIMENT_DATASET)" },
    table: { value: "NAME", says: "table of all files" },
    period: { value: "TAG", says: 'period tag of all files (default: from the folder, else "0")' },
    watch: { says: "stay, and send new and changed files as they come" },
    wait: { says: "wait until what was sent is compacted" },
    "no-send": { says: "only save; send later with `sediment retry`" },
    concurrency: { value: "N", says: "files under way at once (4)" },
  },
  arity: [1, Infinity],
  async run(input) {
    const dataset = input.text("dataset") ?? process.env.SEDIMENT_DATASET;
    if (!dataset || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(dataset)) {
      throw new UsageError(`push needs --dataset, a UUID${dataset ? `, not ${dataset}` : ""}`);
    }
    const concurrency = input.text("concurrency");
    const terminal = createTerminal(input.is("json"));
    const code = {
      retry: { item_interval_seconds: 0 },
      // What is no number is left to the check of the settings, which names it.
      ...(concurrency ? { upload: { concurrency: numberOr(concurrency) } } : {}),
    };
    const settings = await openSettings(input, code);
    const given = {
      table: input.text("table"),
      period: input.text("period"),
      except: settings.pending.directory,
    };
    const found = await findFiles(input.positionals, given);
    const project = await openProject(input);
    const runs = new Set<string>();
    const uploader = await openUploader(input, {
      code,
      say: terminal.say,
      onEvent: (event) => {
        if (event.event === "succeeded") {
          for (const run of event.runs as string[]) runs.add(run);
        }
      },
    });
    const interrupted = new AbortController();
    const endSignals = onInterrupt(() => interrupted.abort());
    try {
      const { concurrency } = settings.upload;
      const { signal } = interrupted;
      const pusher = new Pusher({ input, terminal, uploader, dataset, concurrency, signal });
      for (const line of linesOf(found.passedOver)) terminal.say(line);
      if (input.is("watch")) await watch(pusher, input.positionals, given);
      else {
        if (found.files.length === 0) {
          const where = input.positionals.join(", ");
          terminal.say(`there is no .parquet or .avro file under ${where}`);
        }
        await pusher.pushAll(found.files);
      }
      if (input.is("wait")) await waitForRuns(runs, project, terminal, signal);
      return await pusher.account();
    } finally {
      endSignals();
      await uploader.stop();
    }
  },
};

/** Looks at the paths again and again, and pushes what is whole and new. */
async function watch(
  pusher: Pusher,
  paths: string[],
  given: Parameters<typeof findFiles>[1],
): Promise<void> {
  const { signal, terminal, uploader } = pusher.parts;
  const settled = new SettledFiles();
  const told = new Set<string>();
  uploader.start();
  terminal.say("watching; Ctrl-C ends it");
  while (!signal.aborted) {
    // A path may go and come back; until then it has no files.
    const { files, passedOver } = await findFiles(paths, given)
      .catch(() => ({ files: [], passedOver: [] }));
    for (const line of linesOf(passedOver.filter(({ path }) => !told.has(path)))) {
      terminal.say(line);
    }
    for (const { path } of passedOver) told.add(path);
    const whole = await settled.take(files, Date.now());
    const failed = whole.length > 0 && !signal.aborted ? await pusher.pushAll(whole) : [];
    for (const file of failed) settled.again(file, Date.now());
    await sleep(500, undefined, { signal }).catch(() => {});
  }
}

function numberOr(text: string): number {
  return Number.isNaN(Number(text)) ? text as unknown as number : Number(text);
}
