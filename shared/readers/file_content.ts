/** The bytes of one data file: a byte range of an object, served as a file of its own. */
import { createHash } from "node:crypto";
import * as z from "zod";
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

/**
 * Bytes [start, start + length) of a data file.
 *
 * @param start first byte, counted from the file's own beginning; the range lies inside the file
 */
export async function readContent(
  store: Pick<ObjectStore, "getRange">,
  file: FileContent,
  start: number,
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array | ReadableStream<Uint8Array>> {
  const from = file.start + start;
  if (length <= wholeBytes) return await store.getRange(file.objectKey, from, length, { signal });
  let at = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const count = Math.min(pieceBytes, length - at);
      controller.enqueue(await store.getRange(file.objectKey, from + at, count, { signal }));
      at += count;
      if (at === length) controller.close();
    },
  });
}
