/**
 * The pending folders of this machine's user: one for each server and each user of it, in the platform's
 * data folder, so that they are found from anywhere and nothing is sent as somebody else.
 */
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod/mini";
import { sha256 } from "../sha256.ts";
import { dataFolder } from "./platform_folders.ts";

/** Whose a folder is. */
const ownerNote = z.object({
  url: z.string(),
  /** The `sub` of the user's tokens; null: of nobody who was signed in. */
  user_id: z.nullable(z.string()),
  email: z.nullable(z.string()),
});

/** See {@link ownerNote}. */
export type Account = z.infer<typeof ownerNote>;

/** A pending folder, and whose it is. */
export interface PendingFolder extends Account {
  path: string;
}

/** Where folders were before there was one for each account: in the current directory. */
export const oldFolder = "pending_uploads";

const noteName = join(".sediment", "belongs_to.json");

/** The folder of an account, which need not be there yet. */
export function folderOf(account: Account): PendingFolder {
  const { origin, host } = new URL(account.url);
  // People read the beginning; the digest tells http from https, and what the beginning leaves out.
  const server = `${host.replaceAll(/[^a-z0-9.-]/gi, "-")}-${sha256(origin).slice(0, 8)}`;
  const user = account.user_id === null
    ? "nobody"
    : /^[0-9a-f-]{36}$/.test(account.user_id)
    ? account.user_id
    : sha256(account.user_id).slice(0, 32);
  return { ...account, path: join(dataFolder(), "pending", server, user) };
}

/** Makes the folder, and writes down whose it is. */
export async function makeFolder({ path, url, user_id, email }: PendingFolder): Promise<void> {
  await mkdir(join(path, ".sediment"), { recursive: true, mode: 0o700 });
  const known = await readOwner(path);
  if (known && known.email === email) return;
  const note: Account = { url, user_id, email: email ?? known?.email ?? null };
  const part = join(path, `${noteName}.${process.pid}.part`);
  await writeFile(part, JSON.stringify(note), { mode: 0o600 });
  await rename(part, join(path, noteName));
}

/** All folders that there are in a data folder. */
export async function allFolders(data = dataFolder()): Promise<PendingFolder[]> {
  const root = join(data, "pending");
  const folders: PendingFolder[] = [];
  for (const server of await namesIn(root)) {
    for (const user of await namesIn(join(root, server))) {
      const path = join(root, server, user);
      const owner = await readOwner(path);
      if (owner) folders.push({ path, ...owner });
    }
  }
  return folders;
}

/** Items in a folder, by their records' names: none is opened. */
export async function countItems(path: string): Promise<number> {
  return (await namesIn(path)).filter((name) => /^[0-9a-f]{32}\.json$/.test(name)).length;
}

/** Whose a folder is, for people. */
export function nameOf({ url, user_id, email }: Account): string {
  return `${user_id === null ? "nobody" : email ?? user_id} at ${url}`;
}

async function readOwner(path: string): Promise<Account | null> {
  try {
    return z.parse(ownerNote, JSON.parse(await readFile(join(path, noteName), "utf8")));
  } catch {
    return null;
  }
}

async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path).catch(() => [])).sort();
}
