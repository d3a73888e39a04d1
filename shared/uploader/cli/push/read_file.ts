/** The bytes of a file that is pushed. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { SedimentError } from "../../../errors.ts";
import type { ByteSource } from "../../pending/pending_medium.ts";
import type { FoundFile } from "./find_files.ts";

/** Files up to this are read whole, so that a duplicate is known before anything is written. */
const wholeBytes = 8 * 1024 * 1024;

/** @throws `file_unreadable`, also later, out of the pieces of a large file */
export async function readSource({ path, size }: FoundFile): Promise<ByteSource> {
  if (size > wholeBytes) return pieces(path);
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** A fault of the file must not look like one of the pending folder that it is copied to. */
async function* pieces(path: string): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path);
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    stream.destroy();
  }
}

function unreadable(path: string, cause: unknown): SedimentError {
  return new SedimentError("file_unreadable", `${path}: ${(cause as Error).message}`, { cause });
}
