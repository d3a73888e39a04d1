/** Moves pending items from one medium to another: a folder that turns out to be a user's, an old place. */
import { pieceBytes } from "./media/source_chunks.ts";
import type { PendingMedium, StoredBytes } from "./pending_medium.ts";
import { type PendingItem, readRecord, writeRecord } from "./pending_record.ts";
import { locked } from "./store_guard.ts";

/** What an adoption came to. */
export interface Adopted {
  /** Ids of items that were moved. */
  moved: string[];
  /** Items that stay where they are: nobody chose them, somebody sends them, or their bytes are wrong. */
  left: PendingItem[];
}

/**
 * Moves the items that `choose` gives back, changed as it likes (their identity stays). A crash between
 * the two leaves an item in both places, for the next adoption to see; it is never in neither.
 */
export async function adoptItems(
  from: PendingMedium,
  to: PendingMedium,
  choose: (item: PendingItem) => PendingItem | null,
): Promise<Adopted> {
  const adopted: Adopted = { moved: [], left: [] };
  await locked(from, async () => {
    const items: PendingItem[] = [];
    await from.scan(({ id, text }) => {
      const read = readRecord(id, text);
      if (read.kind === "item") items.push(read.item);
    });
    for (const item of items) {
      const chosen = item.state === "sending" ? null : choose(item);
      if (chosen && await copy(item, chosen, from, to)) {
        await from.remove(item.id);
        adopted.moved.push(item.id);
      } else adopted.left.push(item);
    }
    await from.removeBytes(adopted.moved);
  });
  return adopted;
}

/** @returns whether the item is at its new place */
async function copy(
  item: PendingItem,
  chosen: PendingItem,
  from: PendingMedium,
  to: PendingMedium,
): Promise<boolean> {
  const { id } = item;
  const bytes = await from.bytes(id);
  if (!bytes || bytes.size !== item.size) return false;
  const staged = await to.stage(pieces(bytes), item.size);
  try {
    if (staged.sha256 !== item.content_hash) return false;
    return await locked(to, async () => {
      if (await to.read(id) === null) await to.commit(id, staged, writeRecord(chosen));
      return true;
    });
  } finally {
    await staged.discard().catch(() => {});
  }
}

async function* pieces(bytes: StoredBytes): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.size; at += pieceBytes) {
    yield await bytes.slice(at, Math.min(bytes.size, at + pieceBytes));
  }
}
