/** A push of the command line that Ctrl-C may end anywhere, and whether what it says is true. */
import { ends } from "../../../shared/uploader/cli/push/account.ts";
import { Push } from "../../../shared/uploader/cli/push/push_files.ts";
import type { LogEvent } from "../../../shared/uploader/log.ts";
import type { Uploader } from "../../../shared/uploader/uploader.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Content } from "./world.ts";

/** One file of a push; two of them may have one content. */
interface PushedFile {
  content: Content;
}

/** What an account is held against. */
export interface Truth {
  /** Whether the folder has a record of that id. */
  kept(id: string): boolean;
  isStored(identity: string): boolean;
  /** The sabotage: what had not begun is left out. */
  forgetful: boolean;
}

/** See the file's head. */
export class InterruptedPush {
  readonly #files: PushedFile[];
  readonly #push: Push<PushedFile>;
  /** Files whose save was acknowledged, by the bytes that were handed over. */
  readonly #saved = new Set<PushedFile>();
  readonly #told: PushedFile[] = [];
  #onSaved: (identity: string) => void = () => {};

  constructor(parts: {
    contents: Content[];
    process: SimulatedProcess;
    uploader: Uploader;
    signal: AbortSignal;
  }) {
    const { contents, process, uploader, signal } = parts;
    this.#files = contents.map((content) => ({ content }));
    const sources = new Map<unknown, PushedFile>();
    this.#push = new Push<PushedFile>({
      uploader: {
        retry: (options) => uploader.retry(options),
        items: () => uploader.items(),
        state: () => uploader.state(),
        upload: (source, meta, options) =>
          uploader.upload(source, meta, {
            ...options,
            onProgress: (progress) => {
              const file = sources.get(source);
              if (progress.phase === "saved" && file && process.alive) {
                this.#saved.add(file);
                this.#onSaved(file.content.identity);
              }
              options?.onProgress?.(progress);
            },
          }),
      },
      clock: process.clock,
      concurrency: 3,
      signal,
      send: true,
      metaOf: ({ content }) => content.meta,
      sizeOf: ({ content }) => content.bytes.length,
      read: (file) => {
        const bytes = new Uint8Array(file.content.bytes);
        sources.set(bytes, file);
        return bytes;
      },
      onEnd: ({ input }) => void this.#told.push(input),
    });
  }

  heard(event: LogEvent): void {
    this.#push.heard(event);
  }

  async run(onSaved: (identity: string) => void): Promise<void> {
    this.#onSaved = onSaved;
    await this.#push.push(this.#files);
  }

  summary(): string {
    const counts = this.#push.account.counts();
    return ends.filter((end) => counts[end] > 0).map((end) => `${end} ${counts[end]}`).join(", ");
  }

  /** What of the account is not so, in words. */
  violations({ kept, isStored, forgetful }: Truth): string[] {
    const found: string[] = [];
    const entries = this.#push.account.entries()
      .filter(({ status }) => !(forgetful && status === "not_begun"));
    const counts = this.#push.account.counts();
    const sum = entries.length;
    if (sum !== this.#files.length || ends.reduce((all, end) => all + counts[end], 0) !== sum) {
      found.push(`an account of ${sum} for a push of ${this.#files.length}: ${this.summary()}`);
    }
    for (const file of this.#files) {
      const times = this.#told.filter((other) => other === file).length;
      if (times !== 1) found.push(`${file.content.identity} has ${times} lines in the account`);
    }
    for (const { input, status, id, code } of entries) {
      const { identity } = input.content;
      const says = `${identity} is said to be ${status} (${code})`;
      const there = isStored(identity);
      // Between the push's last look and now others may have sent it: that is no lie.
      const waits = there || (id !== undefined && kept(id));
      const saved = this.#saved.has(input);
      switch (status) {
        case "stored":
        case "was_there":
          if (!there) found.push(`${says}, and the service doesn't have it`);
          break;
        case "pending":
        case "dead":
          if (!saved || !waits) found.push(`${says}, and the folder doesn't have it`);
          break;
        case "failed":
          // An item that went away in silence may fail to be asked for again: it is to be pushed once more.
          if (saved && !there) found.push(`${says}, and it was saved`);
          break;
        default:
          if (saved) found.push(`${says}, and it was saved`);
      }
    }
    return found;
  }
}
