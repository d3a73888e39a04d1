/** How a push is told: a line an input, a bar, and a summary that adds up to the inputs. */
import process from "node:process";
import type { Input } from "../options.ts";
import { type Bar, bytes as bytesText, type Terminal } from "../terminal.ts";
import { type Account, type End, ends, type Entry } from "./account.ts";
import type { FoundFile, PassedOver } from "./find_files.ts";

/** An input of a push: a file that can be pushed, or one that was passed over. */
export type PushInput = FoundFile | PassedOver;

const texts: Record<End, string> = {
  stored: "stored",
  was_there: "was there",
  pending: "pending",
  dead: "dead",
  failed: "failed",
  passed_over: "passed over",
  not_begun: "not begun",
};
/** What a person must see, also where a bar shows the rest. */
const remarkable: End[] = ["dead", "failed", "passed_over", "not_begun"];
/** Lines of one kind on a terminal; where standard output is a file, all are named. */
const shownOnTerminal = 20;

/** See the file's head. */
export class PushReport {
  readonly #input: Input;
  readonly #terminal: Terminal;
  readonly #started = performance.now();
  readonly #shown = new Map<string, number>();
  #bytes = 0;
  #bar: Bar | null = null;
  #total = 0;

  constructor(input: Input, terminal: Terminal) {
    this.#input = input;
    this.#terminal = terminal;
  }

  /** Begins a bar over so many files. */
  begin(total: number): void {
    this.#total = total;
    this.#bar = this.#terminal.bar("push", total);
    this.#bar.set(0);
  }

  progress(done: number, counts: Record<End, number>): void {
    const parts = (["stored", "was_there", "pending", "dead", "failed"] as const)
      .filter((end) => counts[end] > 0).map((end) => `${texts[end]} ${counts[end]}`);
    this.#bar?.set(Math.min(done, this.#total), parts.join(" · "));
  }

  /** Ends the bar with the account so far. */
  end(account: Account<PushInput>, others: number): void {
    this.#bar?.end(this.#summary(account, others));
    this.#bar = null;
  }

  /** A line for one input. */
  entry({ input, status, id, code, message, key, runs }: Entry<PushInput>): void {
    const { path } = input;
    if (status === "stored" || status === "was_there") {
      this.#bytes += "size" in input ? input.size : 0;
    }
    if (this.#input.is("json")) {
      const [run] = runs ?? [];
      return this.#terminal.out(
        JSON.stringify({ path, status, id, key, run, code, message }),
      );
    }
    const why = code === undefined || status === "not_begun"
      ? ""
      : code === status
      ? `  ${message}`
      : `  ${code}: ${message}`;
    const line = `${texts[status].padEnd(11)} ${path}${why}`;
    if (!process.stderr.isTTY) return this.#terminal.out(line);
    if (!remarkable.includes(status)) return;
    const kind = `${status} ${code}`;
    const shown = this.#shown.get(kind) ?? 0;
    this.#shown.set(kind, shown + 1);
    if (shown < shownOnTerminal) this.#terminal.out(line);
    else if (shown === shownOnTerminal) {
      this.#terminal.say(`more are ${texts[status]}; --json, or a pipe, names all of them`);
    }
  }

  /** The account as JSON, with what a script may want to know besides. */
  json(account: Account<PushInput>, more: Record<string, unknown>): void {
    this.#terminal.out(
      JSON.stringify({ summary: { ...account.counts(), bytes: this.#bytes, ...more } }),
    );
  }

  #summary(account: Account<PushInput>, others: number): string {
    const counts = account.counts();
    const seconds = (performance.now() - this.#started) / 1000;
    const parts = ends.filter((end) => end === "stored" || end === "pending" || counts[end] > 0)
      .map((end) => `${texts[end]} ${counts[end]}`);
    if (others > 0) parts.push(`and ${others} that were pending`);
    const files = counts.input === 1 ? "1 file" : `${counts.input} files`;
    return `${files}: ${parts.join(" · ")} · ${bytesText(this.#bytes)} in ${seconds.toFixed(1)} s`;
  }
}
