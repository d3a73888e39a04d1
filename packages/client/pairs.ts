/** `sediment-client/pairs`, on Deno and Node: pending uploads that the existing desktop client has left in a folder. */
import { type AdoptedPairs, tellOfPairs } from "../../shared/uploader/pending/adopt_pairs.ts";
import type { Session } from "../../shared/uploader/session/session.ts";
import type { Uploader } from "../../shared/uploader/uploader.ts";

export type { AdoptedPairs };

/** Whose pairs are taken over, and from where. */
export interface AdoptOptions {
  folder: string;
  /** The uploader's: what was meant for another server stays. */
  url: string;
  /** The uploader's: pairs of another user stay, and so do all while nobody is signed in. */
  session: Session;
  /** Is told how many were taken over, and why others stay. @default console.warn */
  say?: (line: string) => void;
}

/**
 * Takes over the pairs in a folder, for the user who is signed in. Each is saved with the uploader before it is removed.
 *
 * @throws SedimentError `pending_full`, `pending_unusable`; what was taken over stays so
 */
export async function adoptPairs(
  uploader: Pick<Uploader, "upload">,
  { folder, url, session, say = (line) => console.warn(line) }: AdoptOptions,
): Promise<AdoptedPairs> {
  const userId = await session.userId?.() ?? null;
  return await tellOfPairs(
    uploader,
    { folder, origin: new URL(url).origin, userId, named: userId !== null },
    say,
  );
}
