/**
 * Takes over pending uploads of the existing desktop client, whose pairs lie in folders of the same name: `UUID.bin` beside
 * `UUID.json` with `{id, target_url, headers, created_at (epoch seconds), attempt_count, file_path, context}`, where
 * `context` is a text that holds `{relative_path, key, file_size}` of an asset.
 */
import { open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { SedimentError } from "../../errors.ts";
import { userIdOf } from "../session/session.ts";
import type { Uploader } from "../uploader.ts";

/** Where the pairs lie, and for whom they may be sent. */
export interface PairsOptions {
  folder: string;
  /** The origin of the service: what was meant for another one stays. */
  origin: string;
  /** The user who is signed in. */
  userId: string | null;
  /** Whether somebody named the folder: then pairs that name no user are this one's. */
  named: boolean;
}

/** What became of the pairs. */
export interface AdoptedPairs {
  /** How many are the uploader's now. */
  adopted: number;
  /** Those that stay, by their file's name, with the reason. */
  left: { name: string; why: string }[];
}

const pairName = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/i;

const pairRecord = z.object({
  id: z.string(),
  target_url: z.string(),
  headers: z._default(z.record(z.string(), z.string()), {}),
  context: z.string(),
});

const assetContext = z.object({
  key: z.string(),
  relative_path: z.optional(z.string()),
  file_size: z.optional(z.int()),
});

/**
 * Saves each pair with the uploader, then removes it: a crash between the two leaves both, which are one identity. What
 * can't be taken over is left as it is.
 *
 * @throws what the uploader's own folder throws, as when it is full
 */
export async function adoptPairs(
  uploader: Pick<Uploader, "upload">,
  options: PairsOptions,
): Promise<AdoptedPairs> {
  const found: AdoptedPairs = { adopted: 0, left: [] };
  const names = await readdir(options.folder).catch(() => []);
  for (const name of names.sort()) {
    const [, id] = pairName.exec(name) ?? [];
    if (id === undefined) continue;
    const why = await adoptPair(uploader, id, options);
    if (why === null) found.adopted++;
    else found.left.push({ name, why });
  }
  return found;
}

/**
 * {@link adoptPairs}, and a line of how many were taken over, and of each reason for which some stay.
 *
 * @throws as it does
 */
export async function tellOfPairs(
  uploader: Pick<Uploader, "upload">,
  options: PairsOptions,
  say: (line: string) => void,
): Promise<AdoptedPairs> {
  const found = await adoptPairs(uploader, options);
  if (found.adopted > 0) say(`took ${found.adopted} pending assets over from ${options.folder}`);
  for (const [why, some] of Map.groupBy(found.left, ({ why }) => why)) {
    const more = some.length > 1 ? ` and ${some.length - 1} more` : "";
    say(`left ${join(options.folder, some[0]!.name)}${more} as it is: ${why}`);
  }
  return found;
}

/** @returns null, or why it stays */
async function adoptPair(
  uploader: Pick<Uploader, "upload">,
  id: string,
  { folder, origin, userId, named }: PairsOptions,
): Promise<string | null> {
  const json = join(folder, `${id}.json`);
  const bin = join(folder, `${id}.bin`);
  const record = readJson(pairRecord, await readFile(json, "utf8").catch(() => ""));
  if (record === null || record.id.toLowerCase() !== id.toLowerCase()) {
    return "its record is not one that is known";
  }
  if (!URL.canParse(record.target_url) || new URL(record.target_url).origin !== origin) {
    return `it is for another server, ${record.target_url}`;
  }
  const [, token] =
    Object.entries(record.headers).find(([name]) => name.toLowerCase() === "authorization") ?? [];
  const owner = token === undefined ? null : userIdOf(token.replace(/^bearer\s+/i, ""));
  if (owner === null ? !named : owner !== userId) {
    return owner === null
      ? "it names no user; who names this folder (--pending) takes it over"
      : `it is of another user, ${owner}`;
  }
  const asset = readJson(assetContext, record.context);
  if (asset === null) return "its context names no asset";
  const file = await open(bin).catch(() => null);
  if (file === null) return "its bytes are not there";
  try {
    const { size } = await file.stat();
    if (asset.file_size !== undefined && asset.file_size !== size) {
      return `it has ${size} bytes, and its context says ${asset.file_size}`;
    }
    const path = asset.relative_path ?? asset.key;
    await uploader.upload(await file.readFile(), {
      kind: "asset",
      key: asset.key,
      relative_path: path,
      file_name: path.split(/[/\\]/).at(-1)!,
    }, { sendNow: false });
  } catch (error) {
    if (!(error instanceof SedimentError) || !kept.has(error.code)) throw error;
    return error.message;
  } finally {
    await file.close();
  }
  // The record first: bytes without one are nobody's.
  await unlink(json);
  await unlink(bin).catch(() => {});
  return null;
}

/** Refusals that are of the one pair. */
const kept = new Set(["invalid_request", "invalid_name", "empty_file", "body_too_large"]);

function readJson<T>(schema: z.ZodMiniType<T>, text: string): T | null {
  try {
    return z.safeParse(schema, JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
