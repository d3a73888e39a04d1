import { TextLineStream } from "./text_lines.ts";

/** What a reader found: rows as a digest, or why there are none. */
export type Reading = Rows | { error: string };

/** Rows as a multiset: how many, and the sum of their hashes in hex, so that those of two files add up. */
export interface Rows {
  digest: string;
  rows: number;
}

/** The rows of several files together. */
export function sumOf(...parts: Rows[]): Rows {
  const digest = parts.reduce((sum, part) => sum + BigInt(`0x${part.digest}`), 0n) % (1n << 128n);
  return {
    digest: digest.toString(16),
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
  };
}

/** Longest time that one file may take the reader, in milliseconds. */
const patience = 60_000;

/** DuckDB in a process of its own, started again when a file took it down. */
export class Oracle {
  readonly #folder: string;
  #read = 0;
  #child: Deno.ChildProcess | undefined;
  #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #lines: ReadableStreamDefaultReader<string> | undefined;
  /** Files that ended the process or took too long. */
  crashes = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Oracle> {
    return new Oracle(await Deno.makeTempDir());
  }

  #start(): void {
    const script = new URL("oracle_process.ts", import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      // No install: without the lock Deno 2.1 would look for newer packages than node_modules has.
      args: [
        "run",
        "-A",
        "--no-check",
        "--no-lock",
        "--node-modules-dir=manual",
        "--quiet",
        script,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextLineStream()).getReader();
  }

  /** Reads Parquet bytes. */
  async read(bytes: Uint8Array): Promise<Reading> {
    if (this.#child === undefined) this.#start();
    // a name of its own: DuckDB caches files by name, size and time
    const path = `${this.#folder}/${this.#read++}.parquet`;
    await Deno.writeFile(path, bytes);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), patience);
    });
    try {
      await this.#input!.write(new TextEncoder().encode(`${path}\n`));
      const answer = await Promise.race([this.#lines!.read(), late]);
      if (answer !== "late" && !answer.done) return JSON.parse(answer.value);
    } catch {
      // the process is gone: told below
    } finally {
      clearTimeout(timer);
      await Deno.remove(path);
    }
    this.crashes++;
    await this.#stop();
    return { error: "the reader crashed or hung" };
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended already
    }
    await this.#lines!.cancel().catch(() => {});
    await this.#input!.close().catch(() => {});
    await child.status;
  }

  /** Ends the process and removes its folder. */
  async close(): Promise<void> {
    await this.#stop();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
