import { encoding, knownNumbers, pageType } from "./metadata.ts";
import { parquetError } from "./parquet_error.ts";
import { fields, requireFields } from "./thrift/required_fields.ts";
import { ThriftReader } from "./thrift/thrift_reader.ts";
import { wire } from "./thrift/wire.ts";

/** A page's header, of any page type; fields that the type does not have are 0 (or as said). */
export interface PageHeader {
  /** One of `pageType`. */
  type: number;
  /** Bytes of the body once decompressed (V2: with the levels, which are never compressed). */
  uncompressedSize: number;
  /** Bytes of the body in the file. */
  compressedSize: number;
  /** CRC-32 of the body as it is in the file, as an unsigned number; -1 when the writer gave none. */
  crc: number;
  /** Values (levels) of a data page, nulls counted; entries of a dictionary page. */
  numValues: number;
  /** Encoding of the values. */
  encoding: number;
  definitionLevelEncoding: number;
  repetitionLevelEncoding: number;
  /** V2 only, as its writer has it: parquet-java puts -1 where it keeps no statistics. The levels tell. */
  numNulls: number;
  /** V2 only, as its writer has it: Arrow 8 to 10 put the values of a list there. The levels tell. */
  numRows: number;
  /** V2 only, bytes. */
  definitionLevelsLength: number;
  /** V2 only, bytes. */
  repetitionLevelsLength: number;
  /** V2: whether the values are compressed. V1 and dictionary pages: true, that is as the chunk's codec says. */
  isCompressed: boolean;
  /** Dictionary pages: whether the entries are in ascending order. */
  isSorted: boolean;
  /** Bytes of the header itself. */
  headerLength: number;
}

/** Fields that parquet.thrift requires: of PageHeader and of the three headers in it. */
const headerFields = fields(1, 2, 3);
const dataPageFields = fields(1, 2, 3, 4);
const dictionaryPageFields = fields(1, 2);
const dataPageV2Fields = fields(1, 2, 3, 4, 5, 6);

/**
 * Reads the page header at `position`. Statistics in it are passed over: ours come from values.
 * Checks form and signs only; sizes against the chunk and limits are the caller's to check.
 * Throws `invalid_parquet`.
 */
export function readPageHeader(
  bytes: Uint8Array,
  position = 0,
  end: number = bytes.length,
): PageHeader {
  const reader = new ThriftReader(bytes, position, end);
  const header: PageHeader = {
    type: -1,
    uncompressedSize: -1,
    compressedSize: -1,
    crc: -1,
    numValues: 0,
    encoding: -1,
    definitionLevelEncoding: encoding.RLE,
    repetitionLevelEncoding: encoding.RLE,
    numNulls: 0,
    numRows: 0,
    definitionLevelsLength: 0,
    repetitionLevelsLength: 0,
    isCompressed: true,
    isSorted: false,
    headerLength: 0,
  };
  let inner = -1;
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        header.type = reader.enumeration(type, knownNumbers.pageType);
        break;
      case 2:
        header.uncompressedSize = reader.int32(type);
        break;
      case 3:
        header.compressedSize = reader.int32(type);
        break;
      case 4:
        if (reader.is(type, wire.i32)) header.crc = reader.i32() >>> 0;
        break;
      case 5:
        inner = pageType.DATA_PAGE;
        readDataPage(reader, type, header);
        break;
      case 7:
        inner = pageType.DICTIONARY_PAGE;
        readDictionaryPage(reader, type, header);
        break;
      case 8:
        inner = pageType.DATA_PAGE_V2;
        readDataPageV2(reader, type, header);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, headerFields, "the page header");
  header.headerLength = reader.position - position;
  if (header.uncompressedSize < 0 || header.compressedSize < 0 || header.numValues < 0) {
    throw parquetError("invalid_parquet", "the page header lacks a size or has a negative one");
  }
  if (header.type !== pageType.INDEX_PAGE && inner !== header.type) {
    throw parquetError(
      "invalid_parquet",
      `the page header is of type ${header.type} and lacks its part`,
    );
  }
  return header;
}

function readDataPage(reader: ThriftReader, structType: number, header: PageHeader): void {
  reader.expect(structType, wire.struct);
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        header.numValues = reader.int32(type);
        break;
      case 2:
        header.encoding = reader.enumeration(type, knownNumbers.encoding);
        break;
      case 3:
        header.definitionLevelEncoding = reader.enumeration(type, knownNumbers.encoding);
        break;
      case 4:
        header.repetitionLevelEncoding = reader.enumeration(type, knownNumbers.encoding);
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, dataPageFields, "the page header");
}

function readDictionaryPage(reader: ThriftReader, structType: number, header: PageHeader): void {
  reader.expect(structType, wire.struct);
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        header.numValues = reader.int32(type);
        break;
      case 2:
        header.encoding = reader.enumeration(type, knownNumbers.encoding);
        break;
      case 3:
        header.isSorted = reader.optionalBoolean(type) ?? false;
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, dictionaryPageFields, "the page header");
}

function readDataPageV2(reader: ThriftReader, structType: number, header: PageHeader): void {
  reader.expect(structType, wire.struct);
  const outer = reader.enterStruct();
  let seen = 0;
  for (let type = reader.nextField(); type !== 0; type = reader.nextField()) {
    seen = reader.note(seen);
    switch (reader.fieldId) {
      case 1:
        header.numValues = reader.int32(type);
        break;
      case 2:
        header.numNulls = reader.int32(type);
        break;
      case 3:
        header.numRows = reader.int32(type);
        break;
      case 4:
        header.encoding = reader.enumeration(type, knownNumbers.encoding);
        break;
      case 5:
        header.definitionLevelsLength = reader.int32(type);
        break;
      case 6:
        header.repetitionLevelsLength = reader.int32(type);
        break;
      case 7:
        header.isCompressed = reader.optionalBoolean(type) ?? true;
        break;
      default:
        reader.skip(type);
    }
  }
  reader.leaveStruct(outer);
  requireFields(seen, dataPageV2Fields, "the page header");
  if (header.definitionLevelsLength < 0 || header.repetitionLevelsLength < 0) {
    throw parquetError("invalid_parquet", "the V2 page header has a negative length");
  }
}
