/** Which files of a watched folder are whole: those that have stopped changing, and end as they should. */
import { open } from "node:fs/promises";
import type { FoundFile } from "./find_files.ts";

/** Unchanged for this long, a file that ends as its format does is whole. */
const settleMs = 1000;
/** Unchanged for this long, any file is: the service says what is wrong with it. */
const patienceMs = 60_000;

interface Seen {
  look: string;
  /** Since when it has this look. */
  since: number;
  /** Not to be given out before: `Infinity` once it was. */
  notBefore: number;
}

/** See the file's head. */
export class SettledFiles {
  readonly #seen = new Map<string, Seen>();

  /** The files that are whole now and were not given out as they are. */
  async take(files: FoundFile[], now: number): Promise<FoundFile[]> {
    const taken: FoundFile[] = [];
    for (const file of files) {
      const look = `${file.size} ${file.modifiedMs}`;
      let seen = this.#seen.get(file.path);
      if (seen?.look !== look) {
        // One that was written long ago needn't be watched first.
        seen = { look, since: Math.min(now, file.modifiedMs), notBefore: 0 };
        this.#seen.set(file.path, seen);
      }
      const age = now - seen.since;
      if (now < seen.notBefore || file.size === 0 || age < settleMs) continue;
      if (age < patienceMs && !await endsWell(file)) continue;
      seen.notBefore = Infinity;
      taken.push(file);
    }
    return taken;
  }

  /** A file that was taken could not be saved: after a while it is given out again. */
  again(file: FoundFile, now: number): void {
    const seen = this.#seen.get(file.path);
    if (seen) seen.notBefore = now + patienceMs;
  }
}

/** Parquet ends with its magic (PARE: with an encrypted footer). Avro has no end of its own. */
async function endsWell(file: FoundFile): Promise<boolean> {
  if (file.format !== "parquet") return true;
  try {
    const handle = await open(file.path, "r");
    try {
      const end = new Uint8Array(4);
      await handle.read(end, 0, 4, Math.max(0, file.size - 4));
      return ["PAR1", "PARE"].includes(new TextDecoder().decode(end));
    } finally {
      await handle.close();
    }
  } catch {
    return false; // gone, or not readable yet
  }
}
