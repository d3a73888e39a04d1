/** The bytes of a data file beside its checksum, piece by piece, so that memory is bounded whatever its size. */
import { asSedimentError, SedimentError } from "../../errors.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { Checksum } from "../checksum.ts";

/** Bytes asked for at a time. */
const pieceBytes = 1024 * 1024;

/** Where a file's bytes are, and what they are known by. */
export interface StoredFile {
  object_key: string;
  start_byte: number;
  byte_length: number;
  /** Null: not known; then it is seen only whether they are all there. */
  checksum: string | null;
}

type Store = Pick<ObjectStore, "getRange" | "head">;

/** What is wrong with bytes. */
export interface BytesFault {
  kind: "lost" | "changed";
  detail: string;
}

/**
 * What is wrong with a file's bytes, after a second try where the first one says so.
 *
 * @returns null where they are what they were
 * @throws SedimentError what the store fails of
 */
export async function bytesFault(
  store: Store,
  file: StoredFile,
  signal: AbortSignal,
): Promise<BytesFault | null> {
  return await lookOnce(store, file, signal) && await lookOnce(store, file, signal);
}

async function lookOnce(
  store: Store,
  { object_key, start_byte, byte_length, checksum }: StoredFile,
  signal: AbortSignal,
): Promise<BytesFault | null> {
  const sum = new Checksum();
  for (let at = 0; at < byte_length; at += pieceBytes) {
    const length = Math.min(pieceBytes, byte_length - at);
    const bytes = await rangeOf(store, object_key, start_byte + at, length, signal);
    if (!(bytes instanceof Uint8Array)) return bytes;
    sum.add(bytes);
  }
  const found = sum.end();
  if (checksum === null || found === checksum) return null;
  const where = `${byte_length} bytes at ${start_byte}`;
  return { kind: "changed", detail: `${where} have checksum ${found}, and ${checksum} was stored` };
}

/** A range, or what is wrong with its object: that a range comes short says so only where the object is short as well. */
async function rangeOf(
  store: Store,
  key: string,
  start: number,
  length: number,
  signal: AbortSignal,
): Promise<Uint8Array | BytesFault> {
  let told = "";
  let cause: SedimentError | undefined;
  try {
    const bytes = await store.getRange(key, start, length, { signal });
    if (bytes.byteLength === length) return bytes;
    told = `${bytes.byteLength} bytes of ${length} at ${start}`;
  } catch (thrown) {
    cause = asSedimentError(thrown);
    if (cause.code === "object_missing") return { kind: "lost", detail: cause.message };
    if (cause.code !== "range_not_satisfiable") throw cause;
    told = cause.message;
  }
  const found = await store.head(key, { signal });
  if (found === null) return { kind: "lost", detail: told };
  if (found.size < start + length) {
    return { kind: "changed", detail: `${told}: it has ${found.size}` };
  }
  throw new SedimentError("store_failed", `${key} gave ${told}, and has ${found.size}`, {
    extra: { part: "store_read" },
    cause,
  });
}
