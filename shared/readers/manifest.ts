/** The manifest: the data files of a version, with addresses at which they can be read. */
import type { Manifest } from "../protocol/answers.ts";
import type { ManifestQuery } from "../protocol/manifest.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { ListedFile } from "../catalog/read_results.ts";

/** How files become addresses. */
export interface Signing {
  store: Pick<ObjectStore, "signDownload">;
  expiresInSeconds: number;
  now: Date;
  /** An address at which a slice of an object is served as a file. */
  sliceUrl(file: ListedFile, expiresAt: Date): string;
}

/**
 * Lists the files of a version.
 *
 * @param userId whose data; null for a service that may read all
 * @param signing absent: no URLs
 * @throws SedimentError `dataset_forbidden`, `not_found`, `version_gone`, `version_unknown`, `invalid_cursor`
 */
export async function readManifest(
  catalog: Pick<Catalog, "listFiles">,
  userId: string | null,
  query: ManifestQuery,
  signing?: Signing,
): Promise<Manifest> {
  const page = await catalog.listFiles({
    user: userId,
    dataset: query.dataset_id,
    table: query.table ?? null,
    periodTag: query.period_tag ?? null,
    from: query.from ?? null,
    to: query.to ?? null,
    version: query.version ?? null,
    limit: query.limit,
    cursor: query.cursor ?? null,
  });
  const urls = signing === undefined ? [] : await signAll(page.files, signing);
  return {
    dataset_id: page.dataset_id,
    version: page.version,
    committed_at: page.committed_at,
    files: page.files.map((file, index) => {
      const { object_key: _key, start_byte: _start, byte_length: _length, ...readable } = file;
      return { ...readable, ...urls[index] };
    }),
    next_cursor: page.next_cursor,
  };
}

/** Signatures asked for at a time: each is a request to the store. */
const concurrency = 16;

async function signAll(files: ListedFile[], signing: Signing) {
  const expiresAt = new Date(signing.now.getTime() + signing.expiresInSeconds * 1000);
  const signed: { url: string; url_expires_at: string }[] = new Array(files.length);
  // Several files may be slices of one object, never of a whole one: no address is asked for twice.
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < files.length; index = next++) {
      const file = files[index]!;
      const url = isWholeObject(file)
        ? await signing.store.signDownload(file.object_key, signing.expiresInSeconds)
        : signing.sliceUrl(file, expiresAt);
      signed[index] = { url, url_expires_at: expiresAt.toISOString() };
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, files.length) }, worker));
  return signed;
}

/** Whether a file is all of its object; keys of concatenated bodies end in `.bin`. */
function isWholeObject(file: Pick<ListedFile, "object_key" | "start_byte">): boolean {
  return file.start_byte === 0 && file.object_key.endsWith(".parquet");
}
