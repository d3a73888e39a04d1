/** A process of its own for folder_lock_test.ts: raises a count in a file, read and written apart. */
import { readFile, writeFile } from "node:fs/promises";
import { systemClock } from "../../../shared/clock.ts";
import { FolderLocks } from "../../../shared/uploader/pending/media/folder_lock.ts";
import { nodeFileSystem } from "../../../shared/uploader/pending/media/node_file_system.ts";
import { isOwnerAlive, newOwner } from "../../../shared/uploader/pending/media/owner.ts";

const [folder, rounds] = Deno.args;
const locks = new FolderLocks({
  fs: nodeFileSystem,
  clock: systemClock,
  path: `${folder}/locks`,
  owner: newOwner(),
  isAlive: isOwnerAlive,
});
for (let round = 0; round < Number(rounds); round++) {
  const lock = await locks.acquire("count");
  const count = Number(await readFile(`${folder}/count`, "utf8"));
  await writeFile(`${folder}/count`, String(count + 1));
  await lock!.release();
}
await locks.close();
