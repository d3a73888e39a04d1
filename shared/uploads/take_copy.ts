/** What a client has put into the store itself, taken to a key that no client can write, and looked at there. */
import { createHash } from "node:crypto";
import { Checksum } from "../compaction/checksum.ts";
import { asSedimentError, SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";

/** A body as its stage says it is. */
export interface DirectBody {
  /** Where the client puts it. */
  incomingKey: string;
  /** Where it is kept. */
  objectKey: string;
  size: number;
  /** SHA-256 in hexadecimal. */
  contentHash: string;
}

/** What else of a copy is wanted. */
export interface CopyOptions {
  /** Ranges of which the short checksums are wanted. */
  slices?: { start: number; length: number }[];
  /** Called before the bytes are read. */
  onThere?: () => void;
  signal?: AbortSignal;
}

/** Bytes read at a time while hashing. */
const pieceBytes = 1024 * 1024;

/**
 * Copies the incoming object to its own key and compares the copy's size and SHA-256 with what was planned. The copy comes
 * first: what is checked then can't be exchanged any more.
 *
 * @returns the copy's ETag, and the checksums
 * @throws SedimentError `not_found` when nothing is there yet, `size_mismatch`, `hash_mismatch`, `store_failed`
 */
export async function takeCopy(
  store: Pick<ObjectStore, "head" | "copy" | "getRange">,
  body: DirectBody,
  { slices = [], onThere, signal }: CopyOptions = {},
): Promise<{ etag: string; checksums: string[] }> {
  const { incomingKey, objectKey, size } = body;
  const incoming = await store.head(incomingKey, { signal });
  if (incoming !== null && incoming.size !== size) throw sizeMismatch(incoming.size, size);
  if (incoming !== null) {
    try {
      await store.copy(incomingKey, objectKey, { signal });
    } catch (thrown) {
      // An earlier call made the copy; the checks are made on it all the same.
      if (asSedimentError(thrown).code !== "already_stored") throw thrown;
    }
  }
  const copy = await store.head(objectKey, { signal });
  if (copy === null) {
    throw new SedimentError("not_found", "Nothing was put to the signed URL yet", {
      field: "body",
      expected: "the file at the URL that step 1 gave, before this call",
    });
  }
  if (copy.size !== size) throw sizeMismatch(copy.size, size);
  onThere?.();
  const hash = createHash("sha256");
  const sums = slices.map(() => new Checksum());
  for (let at = 0; at < size; at += pieceBytes) {
    const length = Math.min(pieceBytes, size - at);
    const bytes = await store.getRange(objectKey, at, length, { signal });
    hash.update(bytes);
    for (const [n, slice] of slices.entries()) {
      const from = Math.max(slice.start - at, 0);
      const to = Math.min(slice.start + slice.length - at, length);
      if (from < to) sums[n].add(bytes.subarray(from, to));
    }
  }
  const found = hash.digest("hex");
  if (found !== body.contentHash) {
    throw new SedimentError("hash_mismatch", `The file's SHA-256 is ${found}`, {
      field: "content_hash",
      expected: body.contentHash,
    });
  }
  return { etag: copy.etag, checksums: sums.map((sum) => sum.end()) };
}

/**
 * Whether a stage whose bytes were refused is to be given up: what was put can't be put again. Not where they may only be late.
 */
export function isHopeless(thrown: unknown): boolean {
  const { code, retryable } = asSedimentError(thrown);
  return !retryable && code !== "not_found";
}

function sizeMismatch(found: number, said: number): SedimentError {
  return new SedimentError("size_mismatch", `The file has ${found} bytes`, {
    field: "file_size",
    expected: `${said} bytes, as file_size says`,
  });
}
