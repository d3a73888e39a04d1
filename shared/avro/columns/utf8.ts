import { invalid } from "../avro_error.ts";

/**
 * Whether bytes are UTF-8 (RFC 3629, section 4: no surrogates, nothing over-long, nothing past U+10FFFF).
 * Parquet's STRING must be, and DuckDB refuses a whole file for one that is not.
 *
 * @throws AvroFault invalid_avro
 */
export function checkUtf8(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to;) {
    const lead = bytes[at++];
    if (lead < 0x80) continue;
    let more: number, low = 0x80, high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    } else throw notUtf8();
    if (at + more > to || bytes[at] < low || bytes[at] > high) throw notUtf8();
    for (let n = 1; n < more; n++) {
      if ((bytes[at + n] & 0xc0) !== 0x80) throw notUtf8();
    }
    at += more;
  }
}

function notUtf8() {
  return invalid("a string is not UTF-8");
}
