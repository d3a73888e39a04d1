/** Manifests of format 2: which data files a table has. https://iceberg.apache.org/spec/#manifests */
import { avroFile, type AvroWriter } from "./avro_file.ts";
import { datasetColumnId, periodColumnId } from "./table_schema.ts";

/** A file of the lake. */
export interface LakeFile {
  id: number;
  /** The lake's snapshot with which it came. */
  snapshot: number;
  dataset: string;
  periodTag: string;
  objectKey: string;
  bytes: number;
  rows: number;
  /** Whether no manifest had it before. */
  isNew: boolean;
  /** What is known of further columns' values. */
  columns: readonly ColumnBounds[];
}

/** A column of a file: by it readers pass the file over. */
export interface ColumnBounds {
  id: number;
  nulls: number | null;
  /** Values of the column's type (boundValue): none of the file's is below, or above; null: not known. */
  lower: Uint8Array | null;
  upper: Uint8Array | null;
}

const utf8 = new TextEncoder();

/** Statuses of an entry. */
const existing = 0, added = 1;

const counts = (
  name: string,
  ids: { field: number; key: number; value: number },
  type: string,
) => ({
  name,
  "field-id": ids.field,
  default: null,
  type: ["null", {
    type: "array",
    logicalType: "map",
    items: {
      type: "record",
      name: `k${ids.key}_v${ids.value}`,
      fields: [
        { name: "key", type: "int", "field-id": ids.key },
        { name: "value", type, "field-id": ids.value },
      ],
    },
  }],
});

const optional = (name: string, id: number, type: unknown) => ({
  name,
  "field-id": id,
  default: null,
  type: ["null", type],
});

/** Fields that a reader knows by their ids; those that we have nothing for are left out. */
const entrySchema = {
  type: "record",
  name: "manifest_entry",
  fields: [
    { name: "status", type: "int", "field-id": 0 },
    optional("snapshot_id", 1, "long"),
    optional("sequence_number", 3, "long"),
    optional("file_sequence_number", 4, "long"),
    {
      name: "data_file",
      "field-id": 2,
      type: {
        type: "record",
        name: "r2",
        fields: [
          { name: "content", type: "int", "field-id": 134 },
          { name: "file_path", type: "string", "field-id": 100 },
          { name: "file_format", type: "string", "field-id": 101 },
          {
            name: "partition",
            type: { type: "record", name: "r102", fields: [] },
            "field-id": 102,
          },
          { name: "record_count", type: "long", "field-id": 103 },
          { name: "file_size_in_bytes", type: "long", "field-id": 104 },
          counts("value_counts", { field: 109, key: 119, value: 120 }, "long"),
          counts("null_value_counts", { field: 110, key: 121, value: 122 }, "long"),
          counts("lower_bounds", { field: 125, key: 126, value: 127 }, "bytes"),
          counts("upper_bounds", { field: 128, key: 129, value: 130 }, "bytes"),
        ],
      },
    },
  ],
};

/**
 * A manifest's bytes. Each file has the dataset and the period of all its rows as bounds, by which readers pass it over, and
 * those that are known of its sort keys.
 *
 * @param schema the table's, as its metadata has it
 * @param snapshot the lake's, with which the manifest comes
 * @param bucket where the files are
 */
export function writeManifest(
  files: readonly LakeFile[],
  { schema, snapshot, bucket }: {
    schema: { "schema-id": number };
    snapshot: number;
    bucket: string;
  },
): Uint8Array {
  const metadata = {
    schema: JSON.stringify(schema),
    "schema-id": String(schema["schema-id"]),
    "partition-spec": "[]",
    "partition-spec-id": "0",
    "format-version": "2",
    content: "data",
  };
  return avroFile(entrySchema, metadata, files, (writer, file) => {
    // what was there before keeps when it came
    const sequence = file.isNew ? snapshot : Math.min(file.snapshot, snapshot);
    writer.long(file.isNew ? added : existing);
    for (let i = 0; i < 3; i++) writer.optional(sequence, (value) => writer.long(value));
    writer.long(0).bytesOf(`s3://${bucket}/${file.objectKey}`).bytesOf("PARQUET")
      .long(file.rows).long(file.bytes);
    const columns: ColumnBounds[] = [
      constant(datasetColumnId, file.dataset),
      constant(periodColumnId, file.periodTag),
      ...file.columns,
    ];
    mapOf(writer, columns, () => file.rows, (value) => writer.long(value));
    mapOf(writer, columns, ({ nulls }) => nulls, (value) => writer.long(value));
    mapOf(writer, columns, ({ lower }) => lower, (value) => writer.bytesOf(value));
    mapOf(writer, columns, ({ upper }) => upper, (value) => writer.bytesOf(value));
  });
}

/** A column that has one text in all rows. */
function constant(id: number, value: string): ColumnBounds {
  const bytes = utf8.encode(value);
  return { id, nulls: 0, lower: bytes, upper: bytes };
}

/** A map from columns to what is known of each. */
function mapOf<T>(
  writer: AvroWriter,
  columns: readonly ColumnBounds[],
  valueOf: (column: ColumnBounds) => T | null,
  write: (value: T) => void,
): void {
  const known = columns.flatMap((column) => {
    const value = valueOf(column);
    return value === null ? [] : [{ id: column.id, value }];
  });
  writer.optional(known, () =>
    writer.array(known, ({ id, value }) => {
      writer.long(id);
      write(value);
    }));
}
