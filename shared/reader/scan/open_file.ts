import { withoutConstants } from "../../parquet/format/constant_columns.ts";
import { footerOfBytes, readFooter } from "../../parquet/format/footer.ts";
import type { FileMetaData } from "../../parquet/format/metadata.ts";
import { defaultLimits as parquetLimits } from "../../parquet/format/limits.ts";
import type { RangeReader } from "../../parquet/format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../../parquet/format/schema.ts";
import { checkFooter } from "../../parquet/inspect/check_chunks.ts";
import { usualSpelling } from "../../readers/usual_spelling.ts";
import { heldReader, type Segment } from "../bytes/held_bytes.ts";
import type { ScanLimits } from "./limits.ts";

/** A data file to be read. */
export interface SourceFile {
  /** Its name in messages. */
  name: string;
  /** Its size is known beforehand; reads give exactly what was asked for. */
  reader: RangeReader;
  /**
   * Names of the columns that its uploads gave it, where the catalog knows them. What it has behind them the service gave
   * it, for readers of many datasets at once (docs/lake.md), and it isn't read.
   */
  columns?: readonly string[];
}

/** A file whose footer was read and checked. */
export interface OpenFile<F extends SourceFile> {
  file: F;
  metadata: FileMetaData;
  tree: SchemaTree;
  /** What was read of it on the way; all of it where the file is small. */
  held: Segment;
}

/** Bytes that {@link openFile} will hold. */
export function openBytes(size: number, limits: ScanLimits, allColumns: boolean): number {
  const whole = allColumns ? limits.wholeScanBytes : limits.wholeFileBytes;
  return size <= Math.max(whole, limits.tailBytes) ? size : limits.tailBytes;
}

/**
 * Reads a file's footer: with the whole file where that is small, else by its end, once more where the footer is longer.
 * @param allColumns whether all of its columns will be wanted
 * @throws SedimentError of the file (`not_parquet`, `invalid_parquet`, `unsupported_parquet`) or of reading it
 */
export async function openFile<F extends SourceFile>(
  file: F,
  limits: ScanLimits,
  allColumns: boolean,
  signal?: AbortSignal,
): Promise<OpenFile<F>> {
  const { reader } = file;
  const { size } = reader;
  const length = openBytes(size, limits, allColumns);
  const held: Segment = {
    start: size - length,
    bytes: await reader.read(size - length, length, signal),
  };
  const footer = length === size
    ? footerOfBytes(held.bytes)
    : await readFooter(behind(reader, held), parquetLimits, signal);
  const asWritten = schemaTree(footer.metadata.schema);
  checkFooter(footer.metadata, asWritten, footer.start, parquetLimits);
  const given = givenColumns(asWritten, file.columns);
  if (given === 0) return { file, metadata: footer.metadata, tree: usualSpelling(asWritten), held };
  const metadata = withoutConstants(footer.metadata, given);
  return { file, metadata, tree: usualSpelling(schemaTree(metadata.schema)), held };
}

/** How many columns a file has behind those of its uploads. */
function givenColumns({ root }: SchemaTree, columns: readonly string[] | undefined): number {
  if (columns === undefined || !columns.every((name, i) => root.children[i]?.name === name)) {
    return 0;
  }
  return root.children.length - columns.length;
}

/** A reader that gives what is held of a file's end, and reads what lies before it. */
function behind(reader: RangeReader, held: Segment): RangeReader {
  const memory = heldReader(reader.size, [held]);
  return {
    size: reader.size,
    read: (start, length, signal) =>
      start >= held.start ? memory.read(start, length) : reader.read(start, length, signal),
  };
}
