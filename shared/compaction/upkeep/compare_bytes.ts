/** The bytes of a data file beside its checksum, piece by piece, so that memory is bounded whatever its size. */
import { asSedimentError } from "../../errors.ts";
import type { ObjectStore } from "../../storage/object_store.ts";
import { Checksum } from "../checksum.ts";

/** Bytes asked for at a time. */
const pieceBytes = 1024 * 1024;

/** Where a file's bytes are, and what they are known by. */
export interface ChecksummedFile {
  object_key: string;
  start_byte: number;
  byte_length: number;
  checksum: string;
}

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
  store: Pick<ObjectStore, "getRange">,
  file: ChecksummedFile,
  signal: AbortSignal,
): Promise<BytesFault | null> {
  return await lookOnce(store, file, signal) && await lookOnce(store, file, signal);
}

async function lookOnce(
  store: Pick<ObjectStore, "getRange">,
  { object_key, start_byte, byte_length, checksum }: ChecksummedFile,
  signal: AbortSignal,
): Promise<BytesFault | null> {
  const sum = new Checksum();
  for (let at = 0; at < byte_length; at += pieceBytes) {
    const length = Math.min(pieceBytes, byte_length - at);
    let bytes;
    try {
      bytes = await store.getRange(object_key, start_byte + at, length, { signal });
    } catch (thrown) {
      const { code, message } = asSedimentError(thrown);
      if (code === "object_missing") return { kind: "lost", detail: message };
      if (code === "range_not_satisfiable") return { kind: "changed", detail: message };
      throw thrown;
    }
    if (bytes.byteLength !== length) {
      const told = `${bytes.byteLength} bytes of ${length} at ${start_byte + at}`;
      return { kind: "changed", detail: told };
    }
    sum.add(bytes);
  }
  const found = sum.end();
  if (found === checksum) return null;
  const where = `${byte_length} bytes at ${start_byte}`;
  return { kind: "changed", detail: `${where} have checksum ${found}, and ${checksum} was stored` };
}
