import { joinGroups } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import { readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "../write_page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { writeWithDuckDb } from "../sample_files.ts";

/** What a V1 page of lists of 32-bit integers holds. */
export interface LevelPage {
  repetitions: number[];
  definitions: number[];
  /** Of the entries with the highest definition level. */
  values: number[];
}

const int32 = (value: number) => [...new Uint8Array(Int32Array.of(value).buffer)];

/** A V1 stream of levels, each a run of its own. */
function stream(levels: number[]): number[] {
  return [...int32(2 * levels.length), ...levels.flatMap((level) => [2, level])];
}

/** A file whose one column has the type, such as `integer[]`, and these pages, uncompressed and PLAIN. */
export async function fileOfLevels(type: string, pages: LevelPage[]): Promise<Uint8Array> {
  const file = await writeWithDuckDb(
    `select null::${type} as l`,
    "format parquet, compression uncompressed, dictionary_size_limit 0",
  );
  const { metadata } = footerOfBytes(file);
  const meta = metadata.rowGroups[0].columns[0].metaData!;
  const header = readPageHeader(file, meta.dataPageOffset);
  const bytes = pages.flatMap(({ repetitions, definitions, values }) => {
    const body = [...stream(repetitions), ...stream(definitions), ...values.flatMap(int32)];
    const writer = new ThriftWriter();
    writePageHeader(writer, {
      ...header,
      encoding: 0,
      numValues: repetitions.length,
      compressedSize: body.length,
      uncompressedSize: body.length,
    });
    return [...writer.view(), ...body];
  });
  const levels = pages.flatMap(({ repetitions }) => repetitions);
  const chunk = {
    meta: {
      ...meta,
      numValues: levels.length,
      dictionaryPageOffset: undefined,
      dataPageOffset: 4,
      encodings: [0, 3],
      statistics: undefined,
    },
    bytes: new Uint8Array(bytes),
  };
  const numRows = levels.filter((level) => level === 0).length;
  return joinGroups([{ numRows, chunks: [chunk] }], metadata);
}
