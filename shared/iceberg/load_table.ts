/** A table's metadata, written where what was published since is to be in it. */
import type { Catalog } from "../catalog/catalog.ts";
import type { ClaimedLakeTable } from "../catalog/lake_results.ts";
import { SedimentError } from "../errors.ts";
import type { ObjectStore } from "../storage/object_store.ts";
import { boundValue } from "./bound_value.ts";
import { type ColumnBounds, type LakeFile, writeManifest } from "./manifest.ts";
import { type StoredManifest, writeManifestList } from "./manifest_list.ts";
import { tableMetadata } from "./table_metadata.ts";
import { tableColumns } from "./table_schema.ts";

/** What a reader is given. */
export interface LoadedTable {
  /** The key of the object that has the metadata too. */
  objectKey: string;
  /** JSON. */
  metadata: string;
}

/** Whose table. */
export interface TableAddress {
  /** Null: a service. */
  user: string | null;
  /** `lake`, or a dataset. */
  namespace: string;
  table: string;
}

/** What it needs. */
export interface LoadPorts {
  catalog: Pick<Catalog, "loadLakeTable" | "commitLakeMetadata">;
  store: Pick<ObjectStore, "put">;
  /** The bucket's name. */
  bucket: string;
}

/** How often it is looked whether another one has written it, and how long after each other, ms. */
const mostLooks = 20, pauseMs = 250;
/** How long after one publication the next one begins, s (the job `sediment_lake`). */
const publicationSeconds = 30;
/** Objects that are written at once. */
const mostPuts = 6;

/**
 * Loads a table. Of those who ask at once one writes; the others have what was written last, or wait where that may not be
 * shown any more.
 *
 * @throws SedimentError `not_found`, `dataset_forbidden`, `user_deleted`, `dataset_deleted`, those of the store, and
 * `catalog_failed` when whoever writes takes too long, or a publication has schemas to compare first
 */
export async function loadTable(ports: LoadPorts, address: TableAddress): Promise<LoadedTable> {
  for (let look = 0; look < mostLooks; look++) {
    const found = await ports.catalog.loadLakeTable({ ...address });
    if (found.state === "claimed") {
      const written = await writeTable(ports, found);
      if (written !== null) return written;
      continue;
    }
    if (found.metadata !== null && found.object_key !== null) {
      return { objectKey: found.object_key, metadata: found.metadata };
    }
    if (found.waits) {
      throw notReady(
        "Schemas of new files are to be compared with the table's columns, a part each publication",
        publicationSeconds,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  throw notReady("The table's metadata is being written still", 5);
}

function notReady(message: string, retryAfterSeconds: number): SedimentError {
  return new SedimentError("catalog_failed", message, { retryAfterSeconds });
}

/** Writes what is new. @returns null when another one was faster, or a purge came between */
async function writeTable(
  { catalog, store, bucket }: LoadPorts,
  claim: ClaimedLakeTable,
): Promise<LoadedTable | null> {
  const columns = tableColumns(claim.columns, claim.columns_at);
  const { snapshot } = claim;
  const put = async (key: string, bytes: Uint8Array, contentType = "application/avro") => {
    const { etag } = await store.put(key, bytes, { upsert: true, contentType });
    return { object_key: key, size: bytes.length, etag };
  };

  const bounds = boundsOf(claim);
  const files: LakeFile[] = claim.files.map(
    ([id, snapshot, dataset, periodTag, objectKey, bytes, rows, isNew]) => ({
      ...{ id, snapshot, dataset, periodTag, objectKey, bytes, rows, isNew },
      columns: bounds.get(id) ?? [],
    }),
  );
  const manifests = await inTurns(claim.keys.manifests, async (key, n) => {
    const each = Math.ceil(files.length / claim.keys.manifests.length);
    const part = files.slice(n * each, (n + 1) * each);
    const stored = await put(
      key,
      writeManifest(part, { schema: columns.schema, snapshot, bucket }),
    );
    const fresh = part.filter(({ isNew }) => isNew);
    const rowsOf = (some: LakeFile[]) => some.reduce((sum, { rows }) => sum + rows, 0);
    return {
      ...stored,
      files: part.map(({ id }) => id),
      rows: rowsOf(part),
      added_files: fresh.length,
      added_rows: rowsOf(fresh),
      min_sequence: Math.min(...part.map((file) => file.isNew ? snapshot : file.snapshot)),
    };
  });
  const all: StoredManifest[] = [
    ...claim.kept.map((one) => ({
      ...{ objectKey: one.object_key, bytes: one.bytes, snapshot: one.snapshot },
      ...{ files: one.files, rows: one.rows, minSequence: one.min_sequence },
      ...{ addedFiles: one.added_files, addedRows: one.added_rows },
    })),
    ...manifests.map((one) => ({
      ...{ objectKey: one.object_key, bytes: one.size, snapshot },
      ...{ files: one.files.length, rows: one.rows, minSequence: one.min_sequence },
      ...{ addedFiles: one.added_files, addedRows: one.added_rows },
    })),
  ];
  const parent = claim.history.at(-1)?.snapshot ?? null;
  const list = await put(
    claim.keys.list,
    writeManifestList(all, { snapshot, parent, bucket }),
  );
  const text = JSON.stringify(tableMetadata({
    uuid: claim.uuid,
    bucket,
    columns,
    lastColumnId: Math.max(...claim.columns.map(({ id }) => id)),
    snapshots: [
      ...claim.history.map(({ object_key, at, ...rest }) => ({
        ...rest,
        at: new Date(at),
        objectKey: object_key,
      })),
      { snapshot, at: new Date(claim.at), objectKey: claim.keys.list, ...claim.totals },
    ],
    leftOut: claim.left_out,
  }));
  const metadata = await put(
    claim.keys.metadata,
    new TextEncoder().encode(text),
    "application/json",
  );
  const { committed } = await catalog.commitLakeMetadata({
    claim: {
      ...{ relation: claim.relation, dataset_id: claim.dataset_id, revision: claim.revision },
      ...{ snapshot, at: claim.at, columns_at: claim.columns_at, next_file: claim.next_file },
      types: Object.fromEntries(claim.columns.map(({ id, type }) => [id, type])),
      history: claim.history.map(({ snapshot }) => snapshot),
      kept: claim.kept.map(({ object_key }) => object_key),
      totals: claim.totals,
    },
    manifests,
    list,
    metadata,
    text,
  });
  return committed ? { objectKey: claim.keys.metadata, metadata: text } : null;
}

/** What is known of the columns of files, by their ids. */
function boundsOf({ columns, statistics }: ClaimedLakeTable): Map<number, ColumnBounds[]> {
  const types = new Map(columns.map(({ id, type }) => [id, type]));
  const bounds = new Map<number, ColumnBounds[]>();
  for (const [file, id, nulls, min, max] of statistics) {
    const type = types.get(id);
    if (!type) continue;
    const of = bounds.get(file) ?? [];
    if (of.length === 0) bounds.set(file, of);
    of.push({ id, nulls, lower: boundValue(min, type), upper: boundValue(max, type) });
  }
  return bounds;
}

/** As Promise.all of a map, a few at once. */
async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T, n: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let n = 0; n < items.length; n += mostPuts) {
    const some = items.slice(n, n + mostPuts);
    results.push(...await Promise.all(some.map((item, k) => work(item, n + k))));
  }
  return results;
}
