/** A new read-only key of a dataset. */
import type * as z from "zod";
import type { Catalog } from "../catalog/catalog.ts";
import type { datasetKey } from "../catalog/key_results.ts";
import { asSedimentError } from "../errors.ts";
import { hashOf, newSecret } from "./key_secret.ts";
import type { KeyUsers } from "./ports.ts";

/** What an owner says of a key. */
export interface NewKey {
  /** The owner; null: the service itself. */
  user: string | null;
  dataset: string;
  label: string;
  ttlSeconds: number;
}

/**
 * Plans the key, makes its user, and only then lets it open the dataset. Whatever dies in between leaves a row that the
 * clockwork ends, and deletes the user of: a user without a row there never is, and none has rights before its row says so.
 *
 * @returns the key as the owner's list shows it, and its secret, which is kept nowhere
 * @throws SedimentError `not_found`, `dataset_forbidden`, `dataset_deleted`, `quota_exceeded`, and those of {@link KeyUsers}
 */
export async function createKey(
  { catalog, keyUsers }: { catalog: Pick<Catalog, "stageKey" | "commitKey">; keyUsers: KeyUsers },
  { user, dataset, label, ttlSeconds }: NewKey,
): Promise<z.output<typeof datasetKey> & { secret: string }> {
  const secret = newSecret();
  const staged = await catalog.stageKey({
    user,
    dataset,
    label,
    secretHash: hashOf(secret),
    ttlSeconds,
  });
  await keyUsers.create({ userId: staged.user_id, keyId: staged.key_id, secret });
  const key = await catalog.commitKey({ user, key: staged.key_id }).catch(async (thrown) => {
    // it has ended meanwhile: then the clockwork may have been there before the user was
    if (!asSedimentError(thrown).retryable) await keyUsers.remove(staged.user_id).catch(() => {});
    throw thrown;
  });
  return { ...key, secret };
}
