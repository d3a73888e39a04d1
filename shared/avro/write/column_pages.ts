import type { LeafColumn } from "../columns/leaf_columns.ts";
import { encoding, pageType } from "../../parquet/format/metadata.ts";
import { ThriftWriter } from "../../parquet/format/thrift/thrift_writer.ts";
import { type ColumnValues, columnValues } from "./column_values.ts";
import { bitWidth, hybridRunBound, writeBits, writeHybridRun } from "./hybrid_runs.ts";

/** A page is cut after so many slots or so many bytes of values, within a row too: the kernels join them. */
const pageSlots = 20_000;
const pageValueBytes = 1024 * 1024;

/** Bytes before a page's body, in which its header is written once its size is known. */
const headerRoom = 64;

const header = new ThriftWriter(headerRoom);

/**
 * A column of a row group as uncompressed pages of version 1 (parquet-format, README, "Data Pages"): PLAIN,
 * enums behind a dictionary page of their symbols.
 */
export function* columnPages(column: LeafColumn): Generator<Uint8Array> {
  const values = columnValues(column.leaf);
  if (values.symbols !== undefined) yield dictionaryPage(values.symbols);
  const position = { value: 0, byte: 0 };
  for (let slot = 0; slot < column.slots;) {
    const cut = pageEnd(column, values, slot, position.byte);
    yield dataPage(column, values, slot, cut, position);
    position.value += cut.present;
    position.byte += cut.bytes;
    slot = cut.slot;
  }
}

interface Cut {
  slot: number;
  /** Values in the page. */
  present: number;
  /** Bytes of them as they are kept. */
  bytes: number;
}

function pageEnd(column: LeafColumn, values: ColumnValues, from: number, byte: number): Cut {
  const { definitions, maxDefinition } = column;
  const last = Math.min(column.slots, from + pageSlots);
  const { width, data } = values;
  let slot = from, present = 0, at = byte;
  while (slot < last && at - byte < pageValueBytes) {
    if (definitions === undefined || definitions[slot] === maxDefinition) {
      present++;
      at += width > 0 ? width : 4 + readLength(data, at);
    }
    slot++;
  }
  return { slot, present, bytes: at - byte };
}

function dataPage(
  column: LeafColumn,
  values: ColumnValues,
  from: number,
  cut: Cut,
  position: { value: number; byte: number },
): Uint8Array {
  const count = cut.slot - from;
  const repetitionBits = bitWidth(column.maxRepetition);
  const definitionBits = bitWidth(column.maxDefinition);
  const body = new Uint8Array(
    headerRoom + 8 + hybridRunBound(count, repetitionBits) + hybridRunBound(count, definitionBits) +
      (values.indices === undefined
        ? cut.bytes
        : 1 + hybridRunBound(cut.present, values.indexBits)),
  );
  let at = writeLevels(column.repetitions, from, cut.slot, repetitionBits, body, headerRoom);
  at = writeLevels(column.definitions, from, cut.slot, definitionBits, body, at);
  const { value, byte } = position;
  if (values.indices !== undefined) {
    body[at++] = values.indexBits;
    at = writeHybridRun(values.indices, value, value + cut.present, values.indexBits, body, at);
  } else if (values.isBoolean) {
    at = writeBits(values.data, value, value + cut.present, 1, body, at, (cut.present + 7) >> 3);
  } else {
    body.set(values.data.subarray(byte, byte + cut.bytes), at);
    at += cut.bytes;
  }
  const kind = values.indices === undefined ? encoding.PLAIN : encoding.RLE_DICTIONARY;
  return withHeader(pageType.DATA_PAGE, kind, count, body.subarray(0, at));
}

/** A level stream behind its length; nothing where the highest level is 0. */
function writeLevels(
  levels: Uint8Array | undefined,
  from: number,
  to: number,
  width: number,
  body: Uint8Array,
  at: number,
): number {
  if (levels === undefined) return at;
  const end = writeHybridRun(levels, from, to, width, body, at + 4);
  new DataView(body.buffer).setUint32(at, end - at - 4, true);
  return end;
}

function dictionaryPage(symbols: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const encoded = symbols.map((symbol) => encoder.encode(symbol));
  const size = encoded.reduce((sum, symbol) => sum + 4 + symbol.length, 0);
  const body = new Uint8Array(headerRoom + size);
  const view = new DataView(body.buffer);
  let at = headerRoom;
  for (const symbol of encoded) {
    view.setUint32(at, symbol.length, true);
    body.set(symbol, at + 4);
    at += 4 + symbol.length;
  }
  return withHeader(pageType.DICTIONARY_PAGE, encoding.PLAIN, symbols.length, body);
}

/** Writes a page's header so that it ends where the body begins; gives both. */
function withHeader(type: number, kind: number, values: number, page: Uint8Array): Uint8Array {
  const size = page.length - headerRoom;
  header.reset();
  header.begin();
  header.i32(1, type);
  header.i32(2, size);
  header.i32(3, size);
  header.begin(type === pageType.DICTIONARY_PAGE ? 7 : 5);
  header.i32(1, values);
  header.i32(2, kind);
  if (type === pageType.DATA_PAGE) {
    header.i32(3, encoding.RLE);
    header.i32(4, encoding.RLE);
  }
  header.end();
  header.end();
  page.set(header.view(), headerRoom - header.length);
  return page.subarray(headerRoom - header.length);
}

function readLength(data: Uint8Array, at: number): number {
  return data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24);
}
