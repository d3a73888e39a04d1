/** Manifest lists of format 2: which manifests a snapshot has. https://iceberg.apache.org/spec/#manifest-lists */
import { avroFile } from "./avro_file.ts";

/** A manifest that is stored. */
export interface StoredManifest {
  objectKey: string;
  bytes: number;
  /** The lake's snapshot with which it came. */
  snapshot: number;
  /** The least of its files' sequence numbers. */
  minSequence: number;
  files: number;
  rows: number;
  /** How many of them no manifest had before. */
  addedFiles: number;
  addedRows: number;
}

const field = (name: string, id: number, type: string) => ({ name, type, "field-id": id });

const manifestSchema = {
  type: "record",
  name: "manifest_file",
  fields: [
    field("manifest_path", 500, "string"),
    field("manifest_length", 501, "long"),
    field("partition_spec_id", 502, "int"),
    field("content", 517, "int"),
    field("sequence_number", 515, "long"),
    field("min_sequence_number", 516, "long"),
    field("added_snapshot_id", 503, "long"),
    field("added_files_count", 504, "int"),
    field("existing_files_count", 505, "int"),
    field("deleted_files_count", 506, "int"),
    field("added_rows_count", 512, "long"),
    field("existing_rows_count", 513, "long"),
    field("deleted_rows_count", 514, "long"),
  ],
};

/** A manifest list's bytes. @param snapshot the lake's, which is the table's too */
export function writeManifestList(
  manifests: readonly StoredManifest[],
  { snapshot, parent, bucket }: { snapshot: number; parent: number | null; bucket: string },
): Uint8Array {
  const metadata = {
    "snapshot-id": String(snapshot),
    "parent-snapshot-id": String(parent),
    "sequence-number": String(snapshot),
    "format-version": "2",
  };
  return avroFile(manifestSchema, metadata, manifests, (writer, manifest) => {
    writer.bytesOf(`s3://${bucket}/${manifest.objectKey}`).long(manifest.bytes).long(0).long(0)
      .long(manifest.snapshot).long(manifest.minSequence).long(manifest.snapshot)
      .long(manifest.addedFiles).long(manifest.files - manifest.addedFiles).long(0)
      .long(manifest.addedRows).long(manifest.rows - manifest.addedRows).long(0);
  });
}
