/** The bytes of an item, checked against what was saved before any of them can leave the machine. */
import { SedimentError } from "../../errors.ts";
import type { PendingMedium, StoredBytes } from "./pending_medium.ts";
import type { PendingItem } from "./pending_record.ts";

/** Bytes up to this are held in memory while they are sent: read once, for the check and for that. */
const smallBytes = 8 * 1024 * 1024;

/** @throws `bytes_missing`, `bytes_changed` */
export async function checkedBytes(item: PendingItem, medium: PendingMedium): Promise<StoredBytes> {
  const stored = await medium.bytes(item.id);
  if (!stored) {
    throw new SedimentError("bytes_missing", `${item.file_path} isn't there, or is a link`);
  }
  const sameSize = stored.size === item.size;
  const whole = sameSize && stored.size <= smallBytes ? await stored.read() : null;
  const hash = whole
    ? await medium.digest(whole)
    : sameSize
    ? await stored.sha256()
    : "not looked at";
  if (hash !== item.content_hash) {
    const found = `${item.file_path}: ${stored.size} bytes, sha256 ${hash}`;
    throw new SedimentError("bytes_changed", found, {
      expected: `${item.size} bytes, sha256 ${item.content_hash}`,
    });
  }
  return whole ? inMemory(whole, hash) : stored;
}

function inMemory(bytes: Uint8Array<ArrayBuffer>, sha256: string): StoredBytes {
  return {
    size: bytes.length,
    read: () => Promise.resolve(bytes),
    slice: (start, end) => Promise.resolve(bytes.slice(start, end)),
    sha256: () => Promise.resolve(sha256),
  };
}
