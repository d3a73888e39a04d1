import { broken } from "./compression_fault.ts";

/** The longest code that deflate allows. */
export const maxCodeBits = 15;

const countOf = new Uint16Array(maxCodeBits + 1);
const nextCode = new Uint16Array(maxCodeBits + 2);

/**
 * Fills a decoding table from code lengths (RFC 1951, 3.2.2): at index `bits as read` stands
 * `symbol << 4 | length`, 0 where no code begins with those bits. As zlib does, an incomplete code is
 * refused unless it has at most one symbol.
 *
 * @param lengths code lengths of the symbols, from `from` to `to`
 * @returns how many bits index the table
 */
export function buildHuffman(
  lengths: Uint8Array,
  from: number,
  to: number,
  table: Uint16Array,
): number {
  countOf.fill(0);
  for (let n = from; n < to; n++) countOf[lengths[n]]++;
  countOf[0] = 0;
  let longest = 0, codes = 0, left = 1;
  for (let bits = 1; bits <= maxCodeBits; bits++) {
    left = left * 2 - countOf[bits];
    if (left < 0) throw broken("deflate: more codes than fit");
    if (countOf[bits] > 0) longest = bits;
    codes += countOf[bits];
  }
  if (left > 0 && (codes > 1 || longest > 1)) throw broken("deflate: an incomplete code");
  const tableBits = Math.max(longest, 1);
  const size = 1 << tableBits;
  if (left > 0) table.fill(0, 0, size);
  for (let bits = 1, code = 0; bits <= longest; bits++) {
    code = (code + countOf[bits - 1]) << 1;
    nextCode[bits] = code;
  }
  for (let n = from; n < to; n++) {
    const length = lengths[n];
    if (length === 0) continue;
    const entry = ((n - from) << 4) | length;
    for (let at = reverse(nextCode[length]++, length); at < size; at += 1 << length) {
      table[at] = entry;
    }
  }
  return tableBits;
}

function reverse(code: number, length: number): number {
  let reversed = 0;
  for (let n = 0; n < length; n++, code >>>= 1) reversed = (reversed << 1) | (code & 1);
  return reversed;
}
