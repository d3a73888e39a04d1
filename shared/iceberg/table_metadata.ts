/** Table metadata of format 2. https://iceberg.apache.org/spec/#table-metadata-and-snapshots */
import type { TableColumns } from "./table_schema.ts";

/** A snapshot: what the table held at one of the lake's. */
export interface LakeSnapshot {
  snapshot: number;
  /** When it was published. */
  at: Date;
  /** Its manifest list. */
  objectKey: string;
  files: number;
  rows: number;
  bytes: number;
}

/** What metadata is made of. */
export interface LakeTable {
  uuid: string;
  bucket: string;
  columns: TableColumns;
  lastColumnId: number;
  /** Oldest first; the last one is the table as it is. */
  snapshots: LakeSnapshot[];
  /** Why files of it are not shown, with how many they are. */
  leftOut: { reason: string; files: number; rows: number | null }[];
}

/**
 * The metadata. Its one schema holds for all snapshots: columns only come, and their types only widen. The location is that of
 * the whole bucket, since files lie where uploads and merges have put them.
 */
export function tableMetadata(table: LakeTable): Record<string, unknown> {
  const last = table.snapshots.at(-1)!;
  const { schema, nameMapping, leftOut } = table.columns;
  return {
    "format-version": 2,
    "table-uuid": table.uuid,
    location: `s3://${table.bucket}/`,
    "last-sequence-number": last.snapshot,
    "last-updated-ms": last.at.getTime(),
    "last-column-id": table.lastColumnId,
    "current-schema-id": schema["schema-id"],
    schemas: [schema],
    "default-spec-id": 0,
    "partition-specs": [{ "spec-id": 0, fields: [] }],
    "last-partition-id": 999,
    "default-sort-order-id": 0,
    "sort-orders": [{ "order-id": 0, fields: [] }],
    properties: {
      "schema.name-mapping.default": JSON.stringify(nameMapping),
      // bounds are wider than the values may be: engines may pass files over by them, and take no least or greatest from them
      "write.metadata.metrics.default": "none",
      "sediment.left-out-files": String(
        table.leftOut.reduce((sum, { files }) => sum + files, 0),
      ),
      "sediment.left-out-reasons": JSON.stringify(table.leftOut),
      "sediment.left-out-columns": JSON.stringify(leftOut),
    },
    "current-snapshot-id": last.snapshot,
    refs: { main: { "snapshot-id": last.snapshot, type: "branch" } },
    snapshots: table.snapshots.map((one, n) => ({
      "snapshot-id": one.snapshot,
      ...(n > 0 && { "parent-snapshot-id": table.snapshots[n - 1].snapshot }),
      "sequence-number": one.snapshot,
      "timestamp-ms": one.at.getTime(),
      "manifest-list": `s3://${table.bucket}/${one.objectKey}`,
      "schema-id": schema["schema-id"],
      summary: {
        operation: "overwrite",
        "total-data-files": String(one.files),
        "total-records": String(one.rows),
        "total-files-size": String(one.bytes),
        "total-delete-files": "0",
      },
    })),
    "snapshot-log": table.snapshots.map((one) => ({
      "snapshot-id": one.snapshot,
      "timestamp-ms": one.at.getTime(),
    })),
    "metadata-log": [],
  };
}
