/**
 * Compares what the catalog names with what the store holds, page by page in key order, and reports. It mends
 * nothing: what differs was lost or put by somebody else, and a person should look.
 */
import type { Catalog } from "../../catalog/catalog.ts";
import type { ListedObject, ObjectStore } from "../../storage/object_store.ts";
import { wasmPrefix } from "../../wasm/wasm_modules.ts";

/** Ports of the check. */
export interface CheckPorts {
  catalog: Pick<Catalog, "listObjects" | "findObjects">;
  store: Pick<ObjectStore, "list" | "head">;
}

/** Something that is not as the catalog says. */
export interface Difference {
  /**
   * `missing`: stored, says the catalog, and not there. `foreign`: there, and in no book, nor one of the wasm modules
   * that `deploy:wasm` puts. `size`, `etag`: another
   * than was committed. `undead`: there though it was deleted and no PUT can come any more.
   */
  kind: "missing" | "foreign" | "size" | "etag" | "undead";
  key: string;
  catalog: string | null;
  store: string | null;
}

/** What the check found. */
export interface CheckReport {
  /** Objects that the catalog says are stored. */
  stored: number;
  /** Objects that the store lists. */
  listed: number;
  counts: Record<Difference["kind"], number>;
  /** The first of them. */
  differences: Difference[];
}

/** Bounds of a check. */
export interface CheckOptions {
  /** Differences that are listed; all are counted. @default 1000 */
  listAtMost?: number;
  signal?: AbortSignal;
}

/**
 * Checks. Runs beside uploads and compaction: what is put or deleted meanwhile is looked at again before it is
 * called a difference.
 *
 * @throws SedimentError as the ports do
 */
export async function checkStore(
  { catalog, store }: CheckPorts,
  { listAtMost = 1000, signal }: CheckOptions = {},
): Promise<CheckReport> {
  const report: CheckReport = {
    stored: 0,
    listed: 0,
    counts: { missing: 0, foreign: 0, size: 0, etag: 0, undead: 0 },
    differences: [],
  };
  const tell = (
    kind: Difference["kind"],
    key: string,
    said: string | number | null,
    found: string | number | null,
  ) => {
    report.counts[kind]++;
    if (report.differences.length >= listAtMost) return;
    const text = (value: string | number | null) => value === null ? null : String(value);
    report.differences.push({ kind, key, catalog: text(said), store: text(found) });
  };

  // First the store: each page of keys is looked up in the catalog's books.
  const seen = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await store.list("", { cursor, limit: 1000, signal });
    report.listed += page.objects.length;
    const keys = page.objects.map(({ key }) => key);
    const { objects } = await catalog.findObjects({ keys }, { signal });
    const known = new Map(objects.map((object) => [object.object_key, object]));
    for (const found of page.objects) {
      seen.add(found.key);
      const said = known.get(found.key);
      if (said === undefined) {
        if (!found.key.startsWith(wasmPrefix)) tell("foreign", found.key, null, found.size);
      } else if (said.state === "stored") compare(found, said, tell);
      else if (said.state === "tombstone" && await store.head(found.key, { signal })) {
        tell("undead", found.key, said.state, found.size);
      }
    }
    cursor = page.cursor;
  } while (cursor !== undefined);

  // Then the catalog: what it says is stored and was not in the listing.
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<Catalog["listObjects"]>> = await catalog.listObjects(
      { state: "stored", limit: 1000, cursor: after },
      { signal },
    );
    report.stored += page.objects.length;
    for (const said of page.objects) {
      if (seen.has(said.object_key)) continue;
      // It may have been put since its page was listed, or deleted since this page was read.
      const found = await store.head(said.object_key, { signal });
      if (found !== null) {
        compare({ ...found, key: said.object_key }, said, tell);
        continue;
      }
      const { objects } = await catalog.findObjects({ keys: [said.object_key] }, { signal });
      if (objects[0]?.state === "stored") tell("missing", said.object_key, said.size, null);
    }
    after = page.next_cursor;
  } while (after !== null);
  return report;
}

function compare(
  found: ListedObject,
  said: { size: number | null; etag: string | null },
  tell: (kind: "size" | "etag", key: string, said: string | number, found: string | number) => void,
): void {
  if (said.size !== null && said.size !== found.size) {
    tell("size", found.key, said.size, found.size);
  } // Some stores list no entity tags; an empty one says nothing.
  else if (said.etag && found.etag && said.etag !== found.etag) {
    tell("etag", found.key, said.etag, found.etag);
  }
}
