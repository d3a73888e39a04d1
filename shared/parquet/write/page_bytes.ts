import { crc32 } from "node:zlib";
import { pageType } from "../format/metadata.ts";
import { ThriftWriter } from "../format/thrift/thrift_writer.ts";
import type { PageStore } from "./page_store.ts";
import { encoding } from "../format/metadata.ts";

const writer = new ThriftWriter(256);

/** A V1 data page's or dictionary page's header and body in room of the store, with the CRC of the body. */
export function pageBytes(
  store: Pick<PageStore, "take">,
  type: number,
  valueEncoding: number,
  values: number,
  uncompressedSize: number,
  body: Uint8Array,
): { bytes: Uint8Array; headerLength: number } {
  writer.reset();
  writer.begin();
  writer.i32(1, type);
  writer.i32(2, uncompressedSize);
  writer.i32(3, body.length);
  writer.i32(4, crc32(body) | 0);
  if (type === pageType.DICTIONARY_PAGE) {
    writer.begin(7);
    writer.i32(1, values);
    writer.i32(2, valueEncoding);
  } else {
    writer.begin(5);
    writer.i32(1, values);
    writer.i32(2, valueEncoding);
    writer.i32(3, encoding.RLE);
    writer.i32(4, encoding.RLE);
  }
  writer.end();
  writer.end();
  const headerLength = writer.length;
  const bytes = store.take(headerLength + body.length);
  bytes.set(writer.view());
  bytes.set(body, headerLength);
  return { bytes, headerLength };
}
