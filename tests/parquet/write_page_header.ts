import { pageType } from "../../shared/parquet/format/metadata.ts";
import type { PageHeader } from "../../shared/parquet/format/page_header.ts";
import type { ThriftWriter } from "../../shared/parquet/format/thrift/thrift_writer.ts";

/**
 * Appends a page header to `writer` as a whole struct. `headerLength` is ignored; a `crc` of -1 is left out;
 * no statistics are written (they belong in the column index).
 */
export function writePageHeader(writer: ThriftWriter, header: PageHeader): void {
  writer.begin();
  writer.i32(1, header.type);
  writer.i32(2, header.uncompressedSize);
  writer.i32(3, header.compressedSize);
  if (header.crc !== -1) writer.i32(4, header.crc | 0);
  if (header.type === pageType.DATA_PAGE) {
    writer.begin(5);
    writer.i32(1, header.numValues);
    writer.i32(2, header.encoding);
    writer.i32(3, header.definitionLevelEncoding);
    writer.i32(4, header.repetitionLevelEncoding);
    writer.end();
  } else if (header.type === pageType.DICTIONARY_PAGE) {
    writer.begin(7);
    writer.i32(1, header.numValues);
    writer.i32(2, header.encoding);
    writer.boolean(3, header.isSorted);
    writer.end();
  } else if (header.type === pageType.DATA_PAGE_V2) {
    writer.begin(8);
    writer.i32(1, header.numValues);
    writer.i32(2, header.numNulls);
    writer.i32(3, header.numRows);
    writer.i32(4, header.encoding);
    writer.i32(5, header.definitionLevelsLength);
    writer.i32(6, header.repetitionLevelsLength);
    writer.boolean(7, header.isCompressed);
    writer.end();
  }
  writer.end();
}
