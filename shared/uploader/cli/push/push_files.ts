/** Pushes files through an uploader, and keeps the account of what became of each. Knows no terminal. */
import { asSedimentError } from "../../../errors.ts";
import type { Clock } from "../../../clock.ts";
import type { LogEvent } from "../../log.ts";
import type { ByteSource } from "../../pending/pending_medium.ts";
import { Semaphore } from "../../retry/semaphore.ts";
import type { Reason } from "../../reason.ts";
import type { UploadOutcome } from "../../upload.ts";
import type { UploadMetaInput } from "../../upload_meta.ts";
import type { Uploader } from "../../uploader.ts";
import { Account, type Entry } from "./account.ts";

/** Longest wait for items that another process is sending. */
const othersMs = 30_000;

/** The parts of a {@link Push}. */
export interface PushParts<File> {
  uploader: Pick<Uploader, "upload" | "retry" | "items" | "state">;
  clock: Pick<Clock, "sleep" | "monotonic">;
  /** Files under way at once. */
  concurrency: number;
  /** Ends the push: what is under way stays pending, what has not begun does not begin. */
  signal: AbortSignal;
  /** Whether files are sent, or only saved. */
  send: boolean;
  metaOf(file: File): UploadMetaInput;
  /** In bytes. */
  sizeOf(file: File): number;
  /** @throws SedimentError `file_unreadable` */
  read(file: File): ByteSource | Promise<ByteSource>;
  /** Told of each file once it is known what became of it (in a later push perhaps of another end). */
  onEnd(entry: Entry<File>): void;
  /** Told after each file how many of the push have been looked at. */
  onProgress?(done: number): void;
}

/** What the log says of an item that was sent. */
interface Answer {
  key?: string;
  runs: string[];
  duplicate: boolean;
}

/** See the file's head. The log's events have to be given to `heard`. */
export class Push<File> {
  readonly account = new Account<File>();
  /** Compaction runs that the answers named. */
  readonly runs = new Set<string>();
  readonly #parts: PushParts<File>;
  /** Files whose item is kept, by its id; files of equal bytes share one. The first is whose save it was. */
  readonly #waiting = new Map<string, File[]>();
  /** Ids of items that are this push's own. */
  readonly #ids = new Set<string>();
  readonly #answers = new Map<string, Answer>();
  /** Ids of items by which a file ended as stored: for others of equal bytes it was there. */
  readonly #stored = new Set<string>();
  readonly #dropped = new Set<string>();
  /** Files whose item went away in silence and that were pushed anew. */
  readonly #again = new Set<File>();
  readonly #told = new Map<File, string>();
  #others = 0;

  constructor(parts: PushParts<File>) {
    this.#parts = parts;
  }

  /** Items that were sent besides: they were pending before. */
  get others(): number {
    return this.#others;
  }

  /** Listens to the uploader's log: how items ended that the retry service sent. */
  heard(event: LogEvent): void {
    const { id } = event;
    if (id === undefined) return;
    if (event.event === "dropped") this.#dropped.add(id);
    if (event.event !== "succeeded") return;
    const runs = event.runs as string[];
    for (const run of runs) this.runs.add(run);
    if (!this.#ids.has(id)) return void this.#others++;
    const key = typeof event.key === "string" ? event.key : undefined;
    this.#answers.set(id, { key, runs, duplicate: event.duplicate === true });
  }

  /** Pushes files, then what is pending besides and due. Throws only what the pending folder throws. */
  async push(files: File[]): Promise<void> {
    for (const file of files) this.account.enter(file);
    let left = files;
    for (let before = -1; before < this.#sent && left.length > 0;) {
      before = this.#sent;
      await this.#pushEach(left);
      await this.#sendPending();
      // Sending makes room: what a full folder refused is tried again, as long as something goes.
      left = this.#parts.signal.aborted ? [] : files.filter((file) => this.#wasRefusedRoom(file));
    }
    if (files.length === 0) await this.#sendPending();
    for (const file of files) this.#tell(file);
  }

  get #sent(): number {
    return this.#answers.size + this.#others;
  }

  #wasRefusedRoom(file: File): boolean {
    const entry = this.account.of(file);
    return entry?.status === "failed" && entry.code === "pending_full" && entry.id === undefined;
  }

  async #pushEach(files: File[]): Promise<void> {
    const { signal, concurrency, onProgress } = this.#parts;
    const gate = new Semaphore(concurrency);
    let done = 0;
    await Promise.all(files.map((file) =>
      gate.run(async () => {
        if (signal.aborted) return;
        await this.#pushOne(file);
        onProgress?.(++done);
      })
    ));
  }

  /** Saves a file and tries to send it. */
  async #pushOne(file: File): Promise<void> {
    const { uploader, signal, send, metaOf, sizeOf, read } = this.#parts;
    let id: string | undefined;
    try {
      const outcome = await uploader.upload(await read(file), metaOf(file), {
        signal,
        sendNow: send,
        size: sizeOf(file),
        onProgress: (progress) => {
          if (progress.phase === "saved") this.#ids.add(id = progress.id);
        },
      });
      this.#ended(file, outcome);
    } catch (thrown) {
      const { code, message: what, expected } = asSedimentError(thrown);
      const message = expected === undefined ? what : `${what}; expected ${expected}`;
      // What was saved is kept, whatever went wrong after it; a signal before it leaves nothing.
      if (id !== undefined) this.#waits(file, id, { code, message });
      else if (code !== "aborted") this.account.end(file, "failed", { code, message });
    }
  }

  #ended(file: File, outcome: UploadOutcome): void {
    const { id, duplicate } = outcome;
    if (outcome.status === "pending") return this.#waits(file, id, outcome.reason);
    if (outcome.status === "dead") {
      const { code, message } = outcome.reason;
      this.account.end(file, "dead", { id, code, message });
    } else {
      const { answer } = outcome;
      const said = this.#answers.get(id);
      const facts = { id, key: answer?.key ?? said?.key, runs: said?.runs };
      if (!duplicate) this.#stored.add(id);
      this.account.end(file, duplicate ? "was_there" : "stored", facts);
    }
    this.#tell(file);
  }

  /** It may yet go with the pending ones, so nothing is told now. */
  #waits(file: File, id: string, { code, message }: Reason): void {
    const files = this.#waiting.get(id);
    if (files) files.push(file);
    else this.#waiting.set(id, [file]);
    this.account.end(file, "pending", { id, code, message });
  }

  /** Sends what is pending and due, of this push or of earlier ones, and sees what became of it. */
  async #sendPending(): Promise<void> {
    const { uploader, clock, signal, send } = this.#parts;
    if (send && !signal.aborted) {
      // Parked or paused: the items of just now have shown that it would be in vain.
      if (uploader.state().state === "idle" && (await uploader.items()).length > 0) {
        await uploader.retry({ dueOnly: true, signal });
      }
      const until = clock.monotonic() + othersMs;
      while (await this.#sentByOthers() && clock.monotonic() < until && !signal.aborted) {
        await clock.sleep(200, signal);
      }
    }
    await this.settle();
  }

  /** Whether another process is sending one of ours. */
  async #sentByOthers(): Promise<boolean> {
    if (this.#waiting.size === 0) return false;
    const items = await this.#parts.uploader.items();
    return items.some(({ id, state }) => state === "sending" && this.#waiting.has(id));
  }

  /** Looks what became of the files that waited: others send too, and the retry service does by itself. */
  async settle(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const items = new Map((await this.#parts.uploader.items()).map((item) => [item.id, item]));
    const silent: File[] = [];
    for (const [id, files] of this.#waiting) {
      const item = items.get(id);
      const ended = item === undefined || item.state === "dead" || item.state === "expired";
      if (ended) this.#waiting.delete(id);
      if (item !== undefined) {
        for (const file of files) {
          const { code, message } = item.last_error ?? this.account.of(file)!;
          this.account.end(file, ended ? "dead" : "pending", { id, code, message });
        }
      } else silent.push(...this.#gone(id, files));
      if (ended) { for (const file of files) if (!silent.includes(file)) this.#tell(file); }
    }
    // Another process sent it, or a person dropped it: the service tells, by the ledger of what it has.
    if (silent.length > 0) await this.#pushSilent(silent);
  }

  /** Items that are gone. @returns the files of which nobody said where they went */
  #gone(id: string, files: File[]): File[] {
    if (this.#dropped.has(id) && !this.#answers.has(id)) {
      const message = "its item was dropped before it was sent: a quota's room, or by hand";
      for (const file of files) this.account.end(file, "failed", { id, code: "dropped", message });
      return [];
    }
    const answer = this.#answers.get(id);
    if (answer === undefined && !this.#parts.signal.aborted) {
      // The second time it is one that can't be seen, a newer version's perhaps: as its save said, it waits.
      return files.filter((file) => !this.#again.has(file));
    }
    // Of equal files one is stored, and it was there for the others.
    for (const file of files) {
      const wasThere = answer?.duplicate === true || this.#stored.has(id);
      this.#stored.add(id);
      const facts = { id, key: answer?.key, runs: answer?.runs };
      this.account.end(file, wasThere ? "was_there" : "stored", facts);
    }
    return [];
  }

  async #pushSilent(files: File[]): Promise<void> {
    for (const file of files) this.#again.add(file);
    await this.#pushEach(files);
    await this.settle();
  }

  #tell(file: File): void {
    const entry = this.account.of(file)!;
    if (this.#told.get(file) === entry.status) return;
    this.#told.set(file, entry.status);
    this.#parts.onEnd(entry);
  }
}
