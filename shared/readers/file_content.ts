/** The bytes of one data file: a byte range of an object, served as a file of its own. */
import { createHash } from "node:crypto";
import * as z from "zod";
import type { Catalog } from "../catalog/catalog.ts";
import { asSedimentError, SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/** Where a data file's bytes are. */
export interface FileContent {
  id: number;
  objectKey: string;
  start: number;
  length: number;
}

/** A {@link FileContent} as few bytes, for the token of its URL. */
export const packedContentSchema = z.tuple([z.int(), z.string(), z.int(), z.int()]);

/** Packs a file for its token. */
export function packContent(file: FileContent): z.infer<typeof packedContentSchema> {
  return [file.id, file.objectKey, file.start, file.length];
}

/** The file of a token that was opened. */
export function unpackContent(packed: z.infer<typeof packedContentSchema>): FileContent {
  const [id, objectKey, start, length] = packed;
  return { id, objectKey, start, length };
}

/**
 * The ETag of a file's bytes. By their place, since no key is written twice: behind an id there are others once it was healed,
 * and after a restore ids come again.
 */
export function contentTag({ objectKey, start, length }: FileContent): string {
  const digest = createHash("sha256").update(`${start}+${length} ${objectKey}`).digest("hex");
  return `"${digest.slice(0, 32)}"`;
}

/** Bytes fetched from the store at a time when a range is streamed. */
const pieceBytes = 1024 * 1024;

/** Ranges up to this many bytes are answered from memory, with their length known; longer ones are streamed. */
const wholeBytes = 8 * 1024 * 1024;

/** What else a reading of bytes may need. */
export interface ReadOptions {
  signal?: AbortSignal;
  /** Where the same bytes are by now, when their object is gone; null where nobody knows. @default nobody does */
  moved?(): Promise<FileContent | null>;
}

/**
 * Bytes [start, start + length) of a data file. When its object goes meanwhile, because a purge has it split, they are read on
 * from where `moved` says that they are.
 *
 * @param start first byte, counted from the file's own beginning; the range lies inside the file
 * @throws SedimentError `object_missing`, `store_failed`
 */
export async function readContent(
  store: Pick<ObjectStore, "getRange">,
  file: FileContent,
  start: number,
  length: number,
  { signal, moved }: ReadOptions = {},
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  let place = file;
  const read = async (from: number, count: number) => {
    try {
      return await store.getRange(place.objectKey, place.start + from, count, { signal });
    } catch (thrown) {
      if (asSedimentError(thrown).code !== "object_missing") throw thrown;
      const next = await moved?.();
      if (!next || next.objectKey === place.objectKey) throw thrown;
      place = next;
      return await store.getRange(place.objectKey, place.start + from, count, { signal });
    }
  };
  if (length <= wholeBytes) return await read(start, length);
  let at = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const count = Math.min(pieceBytes, length - at);
      controller.enqueue(await read(start + at, count));
      at += count;
      if (at === length) controller.close();
    },
  });
}

/**
 * Where the bytes of a file are that was split from the object that it names; null where no such copy is known, as of one whose
 * bytes are others since a healing, and where the catalog doesn't answer.
 *
 * @throws SedimentError `version_gone`: the file was deleted
 */
export async function copyOf(
  catalog: Pick<Catalog, "getFile">,
  file: FileContent,
): Promise<FileContent | null> {
  let now;
  try {
    now = await catalog.getFile({ user: null, file: file.id });
  } catch (thrown) {
    if (!["not_found", "version_gone"].includes(asSedimentError(thrown).code)) return null;
    throw new SedimentError("version_gone", "The file is deleted", {
      expected: "a file of the list as it is now",
      cause: thrown,
    });
  }
  const same = now.copy_of?.copy_of === file.objectKey && now.copy_of.start_byte === file.start &&
    now.byte_length === file.length;
  if (!same) return null;
  return { id: file.id, objectKey: now.object_key, start: now.start_byte, length: file.length };
}
