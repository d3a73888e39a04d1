/** What a save answers when its identity is pending already. */
import type { Clock } from "../../clock.ts";
import type { Say } from "../log.ts";
import { about, type Draft, newItem } from "./pending_item.ts";
import type { PendingItem } from "./pending_record.ts";
import type { Records } from "./records.ts";
import { itemTransitions } from "../transitions.ts";
import { identityOf } from "../upload_meta.ts";

/** The item that is there; null when there is none, or an expired one, which is saved anew. */
export async function findDuplicate(
  draft: Draft,
  size: number,
  hash: string,
  { records, clock, say }: { records: Records; clock: Clock; say: Say },
): Promise<PendingItem | null> {
  const id = identityOf(draft.targetUrl, draft.meta, hash);
  const read = await records.look(id);
  if (read?.kind === "newer") {
    // Its item as far as this version can say. It isn't written down: the record is the newer one's.
    const { version } = read;
    const item = newItem(id, draft, size, hash, clock.now());
    const message = `a newer version of the uploader (records of version ${version}) has it`;
    say("skipped_newer", { id, version });
    return { ...item, last_error: { code: "record_newer", message, at: item.created_at } };
  }
  const item = read?.kind === "item" ? read.item : null;
  if (!item || itemTransitions[item.state].save?.does !== "duplicate") return null;
  say("skipped_duplicate", { id, state: item.state, ...about(item) });
  return item;
}
