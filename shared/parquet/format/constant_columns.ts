/**
 * Columns of one value in all rows, which a merge gives its output beside the inputs' own: the last ones, so that what
 * counts columns (sorting columns, keys that describe the schema, chunks that are moved as they are) stays as it is.
 */
import {
  convertedType,
  type FileMetaData,
  physicalType,
  repetition,
  type SchemaElement,
} from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import type { SchemaTree } from "./schema.ts";
import { blankElement } from "./schema_element.ts";

/** A required column of texts. */
export interface ConstantColumn {
  name: string;
  /** Of every row. */
  value: string;
}

/** Whether a schema's own columns leave no place for the columns: one has the name, in any case. */
export function clashes(tree: SchemaTree, columns: readonly ConstantColumn[]): boolean {
  const names = new Set(columns.map(({ name }) => name.toLowerCase()));
  return tree.root.children.some(({ name }) => names.has(name.toLowerCase()));
}

/**
 * The flat schema with the columns behind its own, and without field ids: those of an uploader mean nothing beside the
 * columns of others, and readers go by them before they go by names.
 */
export function withConstants(
  schema: readonly SchemaElement[],
  columns: readonly ConstantColumn[],
): SchemaElement[] {
  const [root, ...own] = withoutFieldIds(schema);
  return [
    { ...root, numChildren: root.numChildren! + columns.length },
    ...own,
    ...columns.map(({ name }): SchemaElement => ({
      ...blankElement(name),
      type: physicalType.BYTE_ARRAY,
      // both: DuckDB reads what has the logical type alone as BLOB
      convertedType: convertedType.UTF8,
      logicalType: { kind: "STRING" },
    })),
  ];
}

/** The flat schema without field ids at any depth. */
export function withoutFieldIds(schema: readonly SchemaElement[]): SchemaElement[] {
  return schema.map((element) => ({ ...element, fieldId: undefined }));
}

/**
 * A footer as if its last columns, which an earlier merge gave the file, were not there. Key-values stay.
 *
 * @param count how many
 * @throws SedimentError `invalid_parquet` where they are not columns that a merge gives
 */
export function withoutConstants(metadata: FileMetaData, count: number): FileMetaData {
  if (count === 0) return metadata;
  const [root, ...elements] = metadata.schema;
  const last = elements.slice(-count);
  const fine = root.numChildren! > count && last.length === count &&
    last.every((element) =>
      element.type === physicalType.BYTE_ARRAY && element.repetition === repetition.REQUIRED
    );
  if (!fine) {
    throw parquetError(
      "invalid_parquet",
      `the last ${count} columns are not those of a merge`,
      {},
      {
        expected: "required texts, as the catalog has it",
      },
    );
  }
  return {
    ...metadata,
    schema: [{ ...root, numChildren: root.numChildren! - count }, ...elements.slice(0, -count)],
    rowGroups: metadata.rowGroups.map((group) => {
      const chunks = group.columns.slice(-count).map(({ metaData }) => metaData!);
      return {
        ...group,
        columns: group.columns.slice(0, -count),
        totalByteSize: chunks.reduce(
          (left, meta) => left - meta.totalUncompressedSize,
          group.totalByteSize,
        ),
        totalCompressedSize: group.totalCompressedSize && chunks.reduce(
          (left, meta) => left - meta.totalCompressedSize,
          group.totalCompressedSize,
        ),
      };
    }),
    columnOrders: metadata.columnOrders?.slice(0, -count),
  };
}
