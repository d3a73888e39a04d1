/** The bodies that `deno task bench upload` sends. */
import { tinyParquet } from "../../support/tiny_parquet.ts";

/** 60 KB of Parquet whose values are anew in each copy: one plain column, its values at a known place. */
const template = tinyParquet(Array.from({ length: 15_000 }, (_, n) => 0x5ed10000 + n));
const valuesAt = indexOf(
  template,
  new Uint8Array([0x00, 0x00, 0xd1, 0x5e, 0x01, 0x00, 0xd1, 0x5e]),
);
/** Length of each file. */
export const fileBytes = template.length;

const run = crypto.getRandomValues(new Uint32Array(1))[0];
let made = 0;

/** 60 KB that nobody has sent before. */
export function nextFile(): Uint8Array<ArrayBuffer> {
  return renewed(template, 0);
}

/** A copy whose values, in the file that begins at an offset, are like no other's. */
function renewed(bytes: Uint8Array<ArrayBuffer>, fileAt: number): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  // Inside the first page's values, so that nothing else changes; the column has no bounds to break.
  view.setUint32(fileAt + valuesAt + 400, run, true);
  view.setUint32(fileAt + valuesAt + 404, ++made, true);
  return copy;
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, n) => bytes[at + n] === byte)) return at;
  }
  throw new Error("the template's values are not where they should be");
}

export const boundary = "sediment-bench";

/**
 * The bodies of a dataset's one-request uploads, each with a file that nobody has sent before. Made once, by hand, and
 * copied as often as a plain PUT's: encoding is the client's work, not what is measured.
 */
export function multipartBodies(datasetId: string): () => Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const metadata = JSON.stringify({ dataset_id: datasetId, table: "bench", period_tag: "0" });
  const head = encoder.encode(
    `--${boundary}\r\ncontent-disposition: form-data; name="metadata"\r\n\r\n${metadata}\r\n` +
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="f.parquet"\r\n` +
      `content-type: application/octet-stream\r\n\r\n`,
  );
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
  const body = new Uint8Array(head.length + template.length + tail.length);
  body.set(head);
  body.set(template, head.length);
  body.set(tail, head.length + template.length);
  return () => renewed(body, head.length);
}
