/** Pushes files through an uploader, and keeps the account of what became of each. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { asSedimentError } from "../../errors.ts";
import { Gate } from "../retry/gate.ts";
import type { ByteSource } from "../pending/pending_medium.ts";
import type { UploadOutcome } from "../upload.ts";
import type { Uploader } from "../uploader.ts";
import type { Reason } from "../send/verdict.ts";
import type { FoundFile } from "./find_files.ts";
import type { Input } from "./options.ts";
import { type Bar, bytes as bytesText, type Terminal } from "./terminal.ts";

/** Files up to this are read whole, so that a duplicate is known before anything is written. */
const wholeBytes = 8 * 1024 * 1024;
/** Longest wait for items that another process is sending. */
const othersMs = 30_000;

/** The parts of a {@link Pusher}. */
export interface PusherParts {
  input: Input;
  terminal: Terminal;
  uploader: Uploader;
  dataset: string;
  /** Files under way at once. */
  concurrency: number;
  signal: AbortSignal;
}

/** A file that is saved and not sent yet. */
interface Waiting {
  file: FoundFile;
  reason: Reason;
  /** Whether it was pending before. */
  duplicate: boolean;
  /** Whether it was said that it is pending. */
  told: boolean;
}

/** A file that could not be saved. */
interface Failed {
  file: FoundFile;
  reason: Reason;
}

/** See the file's head. */
export class Pusher {
  readonly parts: PusherParts;
  readonly #counts = { stored: 0, duplicate: 0, dead: 0, failed: 0, others: 0 };
  readonly #waiting = new Map<string, Waiting>();
  #bytes = 0;
  readonly #started = performance.now();

  constructor(parts: PusherParts) {
    this.parts = parts;
  }

  /** Pushes files, then what is pending besides and due. @returns the files that could not be saved */
  async pushAll(files: FoundFile[]): Promise<FoundFile[]> {
    const bar = this.parts.terminal.bar("push", files.length);
    bar.set(0);
    let failed: Failed[] = [];
    for (let left = files, before = -1; before < this.#sent && left.length > 0;) {
      before = this.#sent;
      const now = await this.#pushEach(left, bar, files.length);
      await this.#sendPending();
      // Sending makes room: what a full folder refused is tried again, as long as something goes.
      const full = now.filter(({ reason }) => reason.code === "pending_full");
      failed = failed.concat(now.filter((one) => !full.includes(one)));
      left = full.map(({ file }) => file);
      if (before === this.#sent) failed = failed.concat(full);
    }
    for (const { file, reason: { code, message } } of failed) {
      this.#counts.failed++;
      this.#say(file, "failed", { code, message }, `  ${code}: ${message}`);
    }
    if (files.length === 0) await this.#sendPending();
    bar.end(this.#summary());
    return failed.map(({ file }) => file);
  }

  get #sent(): number {
    return this.#counts.stored + this.#counts.others;
  }

  async #pushEach(files: FoundFile[], bar: Bar, total: number): Promise<Failed[]> {
    const { signal, concurrency } = this.parts;
    const gate = new Gate(concurrency);
    const failed: Failed[] = [];
    await Promise.all(files.map((file) =>
      gate.run(async () => {
        if (signal.aborted) return;
        const reason = await this.#push(file);
        if (reason) failed.push({ file, reason });
        const { stored, dead } = this.#counts;
        const pending = this.#waiting.size;
        const done = Math.min(total, stored + pending + dead + failed.length);
        bar.set(done, `stored ${stored} · pending ${pending}${dead ? ` · dead ${dead}` : ""}`);
      })
    ));
    return failed;
  }

  /** What it came to: the last line, and the exit code. */
  async account(): Promise<number> {
    const { input, uploader, terminal } = this.parts;
    const waiting = await this.#settle();
    const { stored, duplicate, dead, failed, others } = this.#counts;
    const pending = this.#waiting.size;
    const { state, park, pause } = uploader.state();
    if (input.is("json")) {
      const counts = { stored, duplicate, pending, dead, failed, others };
      const summary = { ...counts, pending_in_folder: waiting, state };
      terminal.out(JSON.stringify({ summary }));
    } else if (waiting > 0) {
      const why = park
        ? park.refused === null ? "nobody is signed in" : "the session is refused"
        : pause?.why === "offline"
        ? "the server can't be reached"
        : [...this.#waiting.values()].at(-1)?.reason.code;
      const then = park ? "sediment login, then sediment retry" : "sediment retry";
      terminal.say(`${waiting} pending${why ? ` (${why})` : ""}; later: ${then}`);
    }
    if (dead > 0) terminal.say("sediment dead says why the dead ones were refused");
    return dead + failed > 0 ? 1 : pending > 0 ? 3 : 0;
  }

  /** Saves a file and tries to send it. @returns why it could not be saved, or null */
  async #push(file: FoundFile): Promise<Reason | null> {
    const { uploader, dataset, signal, input } = this.parts;
    let outcome: UploadOutcome;
    try {
      const source: ByteSource = file.size <= wholeBytes
        ? new Uint8Array(await readFile(file.path))
        : createReadStream(file.path) as AsyncIterable<Uint8Array>;
      outcome = await uploader.upload(source, {
        kind: "fragment",
        dataset_id: dataset,
        table: file.table,
        period_tag: file.period,
        format: file.format,
        file_name: file.path,
      }, { signal, sendNow: !input.is("no-send") });
    } catch (thrown) {
      const { code, message, extra } = asSedimentError(thrown);
      if (code === "aborted" && typeof extra?.id === "string") {
        const reason = { code, message };
        this.#waiting.set(extra.id, { file, reason, duplicate: false, told: false });
        return null;
      }
      return { code, message };
    }
    if (outcome.status === "pending") {
      // It may yet go with the pending ones, so nothing is said now.
      const { id, reason, duplicate } = outcome;
      this.#waiting.set(id, { file, reason, duplicate, told: false });
    } else if (outcome.status === "dead") {
      this.#dead(file, outcome.id, outcome.reason, outcome.duplicate);
    } else this.#stored(file, outcome);
    return null;
  }

  /** Sends what is pending and due, of this push or of earlier ones, and sees what became of it. */
  async #sendPending(): Promise<void> {
    const { uploader, input, signal } = this.parts;
    if (input.is("no-send") || signal.aborted) return void await this.#settle();
    // Parked or paused: the items of just now have shown that it would be in vain.
    if (uploader.state().state === "idle" && (await uploader.pending()).length > 0) {
      const before = this.#counts.stored;
      const { stored } = await uploader.retry({ dueOnly: true });
      await this.#settle();
      this.#counts.others += Math.max(0, stored - (this.#counts.stored - before));
    }
    const until = performance.now() + othersMs;
    while (await this.#sentByOthers() && performance.now() < until && !signal.aborted) {
      await sleep(200, undefined, { signal }).catch(() => {});
    }
    await this.#settle();
  }

  /** Whether another process is sending one of ours. */
  async #sentByOthers(): Promise<boolean> {
    if (this.#waiting.size === 0) return false;
    const items = await this.parts.uploader.pending();
    return items.some(({ id, state }) => state === "sending" && this.#waiting.has(id));
  }

  /** Looks what became of the files that waited. @returns how many items the folder holds */
  async #settle(): Promise<number> {
    const { uploader } = this.parts;
    const pending = new Map((await uploader.pending()).map((item) => [item.id, item]));
    if (this.#waiting.size === 0) return pending.size;
    const dead = new Map((await uploader.dead()).map((item) => [item.id, item]));
    for (const [id, waiting] of this.#waiting) {
      const { file } = waiting;
      const kept = pending.get(id);
      if (kept) {
        const { code, message } = waiting.reason = kept.last_error ?? waiting.reason;
        const facts = { id, duplicate: waiting.duplicate, code, message };
        if (!waiting.told) this.#say(file, "pending", facts, `  ${code}: ${message}`);
        waiting.told = true;
        continue;
      }
      this.#waiting.delete(id);
      const reason = dead.get(id)?.last_error;
      if (dead.has(id)) this.#dead(file, id, reason ?? waiting.reason, false);
      else this.#stored(file, { status: "stored", id, duplicate: false, answer: null });
    }
    return pending.size;
  }

  #stored(file: FoundFile, outcome: UploadOutcome & { status: "stored" }): void {
    const { id, duplicate, answer } = outcome;
    this.#counts.stored++;
    this.#bytes += file.size;
    if (duplicate) this.#counts.duplicate++;
    const facts = { id, duplicate, key: answer?.key, run: answer?.metricId };
    this.#say(file, "stored", facts, duplicate ? "  (was there already)" : "");
  }

  #dead(file: FoundFile, id: string, { code, message }: Reason, duplicate: boolean): void {
    this.#counts.dead++;
    this.#say(file, "dead", { id, duplicate, code, message }, `  ${code}: ${message}`);
  }

  /** A line for each file: on a terminal, where the bar shows the rest, only for what went wrong. */
  #say(file: FoundFile, status: string, facts: Record<string, unknown>, more: string): void {
    const { input, terminal } = this.parts;
    const { path } = file;
    if (input.is("json")) terminal.out(JSON.stringify({ path, status, ...facts }));
    else if (!process.stderr.isTTY || status === "dead" || status === "failed") {
      terminal.out(`${status.padEnd(8)} ${path}${more}`);
    }
  }

  #summary(): string {
    const { stored, duplicate, dead, failed, others } = this.#counts;
    const seconds = (performance.now() - this.#started) / 1000;
    const parts = [
      `stored ${stored}${duplicate ? ` (${duplicate} were there)` : ""}`,
      ...(others ? [`and ${others} that were pending`] : []),
      `pending ${this.#waiting.size}`,
      ...(dead ? [`dead ${dead}`] : []),
      ...(failed ? [`failed ${failed}`] : []),
    ];
    return `${parts.join(" · ")} · ${bytesText(this.#bytes)} in ${seconds.toFixed(1)} s`;
  }
}
