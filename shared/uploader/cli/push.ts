/** `sediment push`: files to the service, by way of the pending folder. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { asSedimentError } from "../../errors.ts";
import type { ByteSource } from "../pending_medium.ts";
import type { UploadOutcome } from "../upload.ts";
import type { Uploader } from "../uploader.ts";
import { Gate } from "../gate.ts";
import { findFiles, type FoundFile } from "./find_files.ts";
import { openProject, openSettings, openUploader, type Project } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { bytes as bytesText, createTerminal, type Terminal } from "./terminal.ts";
import { waitForRun } from "./wait_for_run.ts";

/** Files up to this are read whole, so that a duplicate is known before anything is written. */
const wholeBytes = 8 * 1024 * 1024;

/** `sediment push` */
export const push: Command = {
  name: "push",
  says: "send Parquet and Avro files; what can't be sent now is kept and sent later",
  synopsis: "DIR|FILE… --dataset ID [--table NAME] [--period TAG]",
  teaches:
    `Saves each file in the pending folder, then sends it. Whatever happens (no network, an expired
session, a server in trouble, Ctrl-C), nothing is lost: what is pending goes with the next push
or \`sediment retry\`, once. The same bytes for the same table and period are one upload.

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
    const given = { table: input.text("table"), period: input.text("period") };
    const concurrency = input.text("concurrency");
    const terminal = createTerminal(input.is("json"));
    const found = await findFiles(input.positionals, given);
    const code = {
      retry: { item_interval_seconds: 0 },
      ...(concurrency ? { upload: { concurrency: Number(concurrency) } } : {}),
    };
    const settings = await openSettings(input, code);
    const project = await openProject(input);
    const uploader = await openUploader(input, { code });
    const interrupted = new AbortController();
    const onInterrupt = () => interrupted.abort();
    process.once("SIGINT", onInterrupt);
    process.once("SIGTERM", onInterrupt);
    try {
      const pusher = new Pusher(input, terminal, uploader, dataset, interrupted.signal);
      for (const { path, why } of found.passedOver) terminal.say(`passed over ${path}: ${why}`);
      await pusher.pushAll(found.files, settings.upload.concurrency);
      if (input.is("watch") && !interrupted.signal.aborted) {
        await pusher.watch(input.positionals, given, found.files, settings.upload.concurrency);
      }
      if (input.is("wait")) await pusher.waitForRuns(project);
      return await pusher.account();
    } finally {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onInterrupt);
      await uploader.stop();
    }
  },
};

/** Pushes files and keeps the account. */
class Pusher {
  readonly #counts = { stored: 0, duplicate: 0, pending: 0, dead: 0, failed: 0 };
  readonly #runs = new Set<string>();
  #bytes = 0;
  readonly #started = performance.now();
  #pendingWhy = "";

  constructor(
    readonly input: Input,
    readonly terminal: Terminal,
    readonly uploader: Uploader,
    readonly dataset: string,
    readonly signal: AbortSignal,
  ) {}

  async pushAll(files: FoundFile[], concurrency: number): Promise<void> {
    const bar = this.terminal.bar("push", files.length);
    const gate = new Gate(concurrency);
    let done = 0;
    bar.set(0);
    await Promise.all(files.map((file) =>
      gate.run(async () => {
        if (this.signal.aborted) return;
        await this.#push(file);
        const { stored, pending, dead } = this.#counts;
        bar.set(++done, `stored ${stored} · pending ${pending}${dead ? ` · dead ${dead}` : ""}`);
      })
    ));
    bar.end(this.#summary());
  }

  async #push(file: FoundFile): Promise<void> {
    const { input, terminal } = this;
    const say = (outcome: Record<string, unknown>, line: string) => {
      if (input.is("json")) terminal.out(JSON.stringify({ path: file.path, ...outcome }));
      else if (!process.stderr.isTTY || outcome.status === "dead" || outcome.status === "failed") {
        terminal.out(line);
      }
    };
    let outcome: UploadOutcome;
    try {
      const source: ByteSource = file.size <= wholeBytes
        ? new Uint8Array(await readFile(file.path))
        : createReadStream(file.path) as AsyncIterable<Uint8Array>;
      outcome = await this.uploader.upload(source, {
        kind: "fragment",
        dataset_id: this.dataset,
        table: file.table,
        period_tag: file.period,
        format: file.format,
        file_name: file.path,
      }, { signal: this.signal, sendNow: !input.is("no-send") });
    } catch (thrown) {
      const { code, message, extra } = asSedimentError(thrown);
      if (code === "aborted" && extra?.id) {
        this.#counts.pending++;
        return;
      }
      this.#counts.failed++;
      say({ status: "failed", code, message }, `failed   ${file.path}  ${code}: ${message}`);
      return;
    }
    const { status, id } = outcome;
    this.#counts[status]++;
    if (outcome.status === "stored") {
      this.#bytes += file.size;
      if (outcome.duplicate) this.#counts.duplicate++;
      const { answer } = outcome;
      const runs = (answer?.runs as { metricId?: string }[] | undefined) ?? [answer ?? {}];
      for (const { metricId } of runs) if (typeof metricId === "string") this.#runs.add(metricId);
      const told = {
        status,
        id,
        duplicate: outcome.duplicate,
        key: answer?.key,
        run: answer?.metricId,
      };
      say(told, `stored   ${file.path}${outcome.duplicate ? "  (was there already)" : ""}`);
    } else {
      const { code, message } = outcome.reason;
      if (status === "pending") this.#pendingWhy = code;
      say(
        { status, id, duplicate: outcome.duplicate, code, message },
        `${status.padEnd(8)} ${file.path}  ${code}: ${message}`,
      );
    }
  }

  /** Looks at the paths again and again; a file is whole when it has stopped changing. */
  async watch(
    paths: string[],
    given: { table?: string; period?: string },
    known: FoundFile[],
    concurrency: number,
  ): Promise<void> {
    const look = (file: FoundFile) => `${file.size} ${file.modifiedMs}`;
    const seen = new Map(known.map((file) => [file.path, look(file)]));
    const settling = new Map<string, string>();
    this.uploader.start();
    this.terminal.say("watching; Ctrl-C ends it");
    while (!this.signal.aborted) {
      await sleep(1000, undefined, { signal: this.signal }).catch(() => {});
      const { files } = await findFiles(paths, given).catch(() => ({ files: [] }));
      const whole = files.filter((file) => {
        if (seen.get(file.path) === look(file)) return false;
        const settled = settling.get(file.path) === look(file);
        settling.set(file.path, look(file));
        return settled && file.size > 0;
      });
      for (const file of whole) {
        settling.delete(file.path);
        seen.set(file.path, look(file));
      }
      if (whole.length > 0 && !this.signal.aborted) await this.pushAll(whole, concurrency);
    }
  }

  async waitForRuns(project: Project): Promise<void> {
    const bar = this.terminal.bar("compact", this.#runs.size);
    let done = 0;
    const failed: string[] = [];
    for (const run of this.#runs) {
      if (this.signal.aborted) break;
      const status = await waitForRun(project, run, this.signal);
      if (status.status === "error") failed.push(run);
      bar.set(++done);
    }
    bar.end(`compacted ${done - failed.length} of ${this.#runs.size} runs`);
    for (const run of failed) this.terminal.say(`run ${run} failed: sediment status ${run}`);
  }

  /** The exit code, and what to do next. */
  async account(): Promise<number> {
    const { stored, duplicate, pending, dead, failed } = this.#counts;
    const waiting = await this.uploader.pending();
    const { state, park, pause } = this.uploader.state();
    if (this.input.is("json")) {
      const end = { stored, duplicate, pending, dead, failed, pending_in_folder: waiting.length };
      this.terminal.out(JSON.stringify({ summary: { ...end, state } }));
    } else if (waiting.length > 0) {
      const why = park
        ? park.refused === null ? "nobody is signed in" : "the session is refused"
        : pause?.why === "offline"
        ? "the server can't be reached"
        : this.#pendingWhy;
      const then = park ? "sediment login, then sediment retry" : "sediment retry";
      this.terminal.say(`${waiting.length} pending${why ? ` (${why})` : ""}; later: ${then}`);
    }
    if (dead > 0) this.terminal.say("sediment dead says why the dead ones were refused");
    return dead + failed > 0 ? 1 : pending > 0 ? 3 : 0;
  }

  #summary(): string {
    const { stored, duplicate, pending, dead, failed } = this.#counts;
    const seconds = (performance.now() - this.#started) / 1000;
    const parts = [
      `stored ${stored}${duplicate ? ` (${duplicate} were there)` : ""}`,
      `pending ${pending}`,
      ...(dead ? [`dead ${dead}`] : []),
      ...(failed ? [`failed ${failed}`] : []),
    ];
    return `${parts.join(" · ")} · ${bytesText(this.#bytes)} in ${seconds.toFixed(1)} s`;
  }
}
