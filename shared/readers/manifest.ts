/** The manifest: the data files of a version, with addresses at which they can be read. */
import type { Manifest, ManifestFile } from "../protocol/answers.ts";
import type { ManifestQuery } from "../protocol/manifest.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { unpackStats } from "../catalog/packed_stats.ts";
import type { ListedFile } from "../catalog/read_results.ts";

/** How files become addresses. */
export interface Signing {
  store: Pick<ObjectStore, "signDownloads">;
  now: Date;
  /** An address at which a slice of an object is served as a file. */
  sliceUrl(file: ListedFile, expiresAt: Date): string;
}

/**
 * Lists the files of a version. One that can't be read is listed with its error and without an address, so that it
 * takes no other with it; one that is in quarantine and can be read has its address, or its rows would be gone.
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
  const urls = signing === undefined
    ? []
    : await signAll(page.files, page.signed_url_seconds, signing);
  const all = page.files.map((file, index): ManifestFile => {
    const {
      object_key: _key,
      start_byte: _start,
      byte_length: _length,
      lost: _lost,
      schema_digest: digest,
      ...readable
    } = file;
    const error = whyUnreadable(file) ?? (urls[index] === null ? notThere : undefined);
    const told = { ...readable, stats: unpackStats(readable.stats, page.columns?.[digest ?? ""]) };
    return error === undefined ? { ...told, ...urls[index] } : { ...told, error };
  });
  const readable = all.filter(({ error }) => error === undefined);
  return {
    dataset_id: page.dataset_id,
    version: page.version,
    committed_at: page.committed_at,
    files: query.include === "readable" ? readable : all,
    unreadable: all.length - readable.length,
    totals: page.totals ?? null,
    next_cursor: page.next_cursor,
  };
}

/** What keeps a file from being read at all; others in quarantine are only not merged. */
const unreadableCodes: string[] = ["object_missing", "object_changed", "not_parquet"];

const notThere = { code: "object_missing", message: "The object store does not hold its bytes" };

function whyUnreadable(file: ListedFile): ManifestFile["error"] {
  const { quarantine_code: code, quarantine_reason: reason } = file;
  if (code !== null && unreadableCodes.includes(code)) return { code, message: reason ?? code };
  return file.lost === true ? notThere : undefined;
}

/** Addresses by the place of their file; null where the store says that there is no object. */
async function signAll(
  files: ListedFile[],
  seconds: number,
  signing: Signing,
): Promise<({ url: string; url_expires_at: string } | null)[]> {
  const expiresAt = new Date(signing.now.getTime() + seconds * 1000);
  const url_expires_at = expiresAt.toISOString();
  // Several files may be slices of one object, never of a whole one: no address is asked for twice.
  const keys = files.filter((file) => isWholeObject(file) && whyUnreadable(file) === undefined)
    .map(({ object_key }) => object_key);
  const urls = keys.length === 0
    ? new Map<string, string | null>()
    : await signing.store.signDownloads(keys, seconds);
  return files.map((file) => {
    const url = isWholeObject(file)
      ? urls.get(file.object_key) ?? null
      : signing.sliceUrl(file, expiresAt);
    return url === null ? null : { url, url_expires_at };
  });
}

/** Whether a file is all of its object; keys of concatenated bodies end in `.bin`. */
function isWholeObject(file: Pick<ListedFile, "object_key" | "start_byte">): boolean {
  return file.start_byte === 0 && file.object_key.endsWith(".parquet");
}
