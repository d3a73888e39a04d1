/** What waits in other places for the one who is signed in now: taken over, or named. Never sent as another. */
import { diskMedium } from "../pending/media/disk_medium.ts";
import { adoptItems } from "../pending/adopt_items.ts";
import type { PendingItem } from "../pending/pending_record.ts";
import {
  allFolders,
  countItems,
  folderOf,
  makeFolder,
  nameOf,
  oldFolder,
  type PendingFolder,
} from "./pending_folders.ts";

/**
 * Takes over what is this account's: what was saved while nobody was signed in at the server (it goes with
 * the first who signs in), and what an older version left in the current directory. What is somebody
 * else's there, or nobody's, is named.
 */
export async function adoptInto(folder: PendingFolder, say: (line: string) => void): Promise<void> {
  const { user_id, url } = folder;
  const { origin } = new URL(url);
  const isHere = (item: PendingItem) => new URL(item.target_url).origin === origin;
  if (user_id !== null) {
    const nobodys = folderOf({ ...folder, user_id: null, email: null });
    await adopt(nobodys.path, folder, (item) => {
      const mayBe = item.user_id === null || item.user_id === user_id;
      return mayBe && isHere(item) ? { ...item, user_id } : null;
    });
  }
  // Who saved what is nobody's is not known here, so a person must say it.
  const mine = (item: PendingItem) =>
    user_id !== null && item.user_id === user_id && isHere(item) ? item : null;
  const old = await adopt(oldFolder, folder, mine);
  if (old.moved > 0) {
    say(`took ${old.moved} pending uploads over from ./${oldFolder}; they are in ${folder.path}`);
  }
  if (old.left > 0) {
    say(
      `./${oldFolder} holds ${old.left} uploads of other users or servers, which stay there: ` +
        `sediment pending --pending ${oldFolder}`,
    );
  }
}

/** Names what an older version left in the current directory, where no account is known that it could be of. */
export async function nameOld(say: (line: string) => void): Promise<void> {
  const count = await countItems(oldFolder);
  if (count === 0) return;
  say(`./${oldFolder} holds ${count} uploads: sediment pending --pending ${oldFolder}`);
}

/** Names the folders of other accounts that hold something. @returns how many items they hold */
export async function nameOthers(
  except: string | null,
  say: (line: string) => void,
  among: (folder: PendingFolder) => boolean = () => true,
): Promise<number> {
  let all = 0;
  for (const folder of await allFolders()) {
    if (folder.path === except || !among(folder)) continue;
    const count = await countItems(folder.path);
    if (count > 0) {
      say(`${count} more are kept for ${nameOf(folder)}: sediment pending --everywhere`);
    }
    all += count;
  }
  return all;
}

async function adopt(
  path: string,
  folder: PendingFolder,
  choose: (item: PendingItem) => PendingItem | null,
): Promise<{ moved: number; left: number }> {
  if (await countItems(path) === 0) return { moved: 0, left: 0 };
  const from = await diskMedium(path);
  try {
    await makeFolder(folder);
    const to = await diskMedium(folder.path);
    try {
      const { moved, left } = await adoptItems(from, to, choose);
      return { moved: moved.length, left: left.length };
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
