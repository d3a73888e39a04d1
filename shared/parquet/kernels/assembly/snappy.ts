/** Snappy's block format (google/snappy format_description.txt): decompression and compression. */
import { BAD_COMPRESSION, fail } from "./errors";
import { copyFew } from "./memory";

/**
 * Decompresses into `dst`, which has 16 bytes of slack behind `dstLen`. Nothing outside of both is
 * touched whatever the bytes say. The length that the stream declares must be `dstLen`.
 */
export function snappyDecode(src: usize, srcLen: u32, dst: usize, dstLen: u32): bool {
  const end = src + srcLen;
  const dstEnd = dst + dstLen;
  let ip = src;
  let declared: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    if (ip >= end || shift > 28) return <bool> fail(BAD_COMPRESSION, ip - src);
    const b = load<u8>(ip++);
    declared |= <u64> (b & 127) << shift;
    if (b < 128) break;
    shift += 7;
  }
  if (declared != dstLen) return <bool> fail(BAD_COMPRESSION, declared, dstLen);
  let op = dst;
  while (ip < end) {
    const tag: u32 = load<u8>(ip++);
    if ((tag & 3) == 0) {
      let len: u32 = (tag >> 2) + 1;
      if (len <= 16 && op + len <= dstEnd && ip + len <= end) {
        // the input has slack behind it as well
        store<u64>(op, load<u64>(ip));
        store<u64>(op + 8, load<u64>(ip + 8));
        op += len;
        ip += len;
        continue;
      }
      if (len > 60) {
        const bytes = len - 60;
        if (ip + bytes > end) return <bool> fail(BAD_COMPRESSION, ip - src);
        len = load<u32>(ip);
        if (bytes < 4) len &= (1 << (bytes << 3)) - 1;
        if (len == 0xffffffff) return <bool> fail(BAD_COMPRESSION, ip - src);
        len++;
        ip += bytes;
      }
      if (len > <u32> (end - ip) || len > <u32> (dstEnd - op)) {
        return <bool> fail(BAD_COMPRESSION, ip - src);
      }
      copyFew(op, ip, len);
      op += len;
      ip += len;
      continue;
    }
    let len: u32;
    let offset: u32;
    if ((tag & 3) == 1) {
      len = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | load<u8>(ip);
      ip += 1;
    } else if ((tag & 3) == 2) {
      len = (tag >> 2) + 1;
      offset = load<u16>(ip);
      ip += 2;
    } else {
      len = (tag >> 2) + 1;
      offset = load<u32>(ip);
      ip += 4;
    }
    if (ip > end || offset == 0 || offset > <u32> (op - dst) || len > <u32> (dstEnd - op)) {
      return <bool> fail(BAD_COMPRESSION, ip - src);
    }
    let from = op - offset;
    const stop = op + len;
    if (offset >= 8) {
      // steps of 8 may run 7 bytes over: the slack, or bytes that are written later
      store<u64>(op, load<u64>(from));
      store<u64>(op + 8, load<u64>(from + 8));
      if (len > 16) {
        op += 16;
        from += 16;
        do {
          store<u64>(op, load<u64>(from));
          op += 8;
          from += 8;
        } while (op < stop);
      }
    } else if (offset == 1) {
      memory.fill(op, load<u8>(from), len);
    } else {
      // the pattern is doubled until it spans 8 bytes
      let period = offset;
      while (op < stop && period < 8) {
        let n: u32 = 0;
        while (n < period && op + n < stop) {
          store<u8>(op + n, load<u8>(from + n));
          n++;
        }
        op += n;
        period <<= 1;
      }
      while (op < stop) {
        store<u64>(op, load<u64>(op - period));
        op += 8;
      }
    }
    op = stop;
  }
  if (op != dstEnd) return <bool> fail(BAD_COMPRESSION, op - dst, dstLen);
  return true;
}

/** Whether a stream declares `dstLen` bytes. */
export function snappyHolds(src: usize, srcLen: u32, dstLen: u32): bool {
  let declared: u64 = 0;
  for (let i: u32 = 0; i < srcLen && i < 5; i++) {
    const b = load<u8>(src + i);
    declared |= <u64> (b & 127) << (7 * i);
    if (b < 128) return declared == dstLen;
  }
  return false;
}

/** The most that `n` bytes can take when compressed. */
export function snappyBound(n: u32): u32 {
  return 32 + n + n / 6;
}

const TABLE = memory.data(1 << 15);

/** Bits of the number of slots that the table has at most: fewer are faster, and find less. */
let mostBits: u32 = 13;

/** Says by how many slots at most matches are looked for, as bits of their number: up to 13. */
export function useSlots(bits: u32): void {
  mostBits = bits;
}

@inline
function hashOf(bytes: u32, shift: u32): usize {
  return <usize> ((bytes * 0x1e35a7bd) >> shift) << 1;
}

@inline
function putLiteral(op: usize, from: usize, len: u32): usize {
  const n = len - 1;
  if (n < 60) {
    store<u8>(op++, n << 2);
    if (len <= 16) {
      store<u64>(op, load<u64>(from));
      store<u64>(op + 8, load<u64>(from + 8));
      return op + len;
    }
  } else if (n < 256) {
    store<u8>(op, 60 << 2);
    store<u8>(op + 1, n);
    op += 2;
  } else {
    store<u8>(op, 61 << 2);
    store<u16>(op + 1, n);
    op += 3;
  }
  copyFew(op, from, len);
  return op + len;
}

@inline
function putCopy(op: usize, offset: u32, len: u32): usize {
  while (len >= 68) {
    store<u8>(op, (63 << 2) | 2);
    store<u16>(op + 1, offset);
    op += 3;
    len -= 64;
  }
  if (len > 64) {
    store<u8>(op, (59 << 2) | 2);
    store<u16>(op + 1, offset);
    op += 3;
    len -= 60;
  }
  if (len < 12 && offset < 2048) {
    store<u8>(op, ((offset >> 8) << 5) | ((len - 4) << 2) | 1);
    store<u8>(op + 1, offset);
    return op + 2;
  }
  store<u8>(op, ((len - 1) << 2) | 2);
  store<u16>(op + 1, offset);
  return op + 3;
}

/** One block of at most 64 KiB; gives where its output ends. */
function encodeBlock(src: usize, len: u32, dst: usize): usize {
  let op = dst;
  if (len < 16) return putLiteral(op, src, len);
  let bits: u32 = 8;
  while (bits < mostBits && (<u32> 1 << bits) < len) bits++;
  const shift = 32 - bits;
  memory.fill(TABLE, 0, <usize> 2 << bits);
  const end = src + len;
  const limit = end - 15;
  let ip = src + 1;
  let emitted = src;
  while (true) {
    // probes spread out while nothing matches, so that what can't shrink costs little
    let skip: u32 = 32;
    let candidate: usize;
    let next = ip;
    let word: u32;
    do {
      ip = next;
      const step = skip >> 5;
      skip += step;
      next = ip + step;
      if (next > limit) {
        if (emitted < end) op = putLiteral(op, emitted, <u32> (end - emitted));
        return op;
      }
      word = load<u32>(ip);
      const slot = TABLE + hashOf(word, shift);
      candidate = src + load<u16>(slot);
      store<u16>(slot, <u16> (ip - src));
    } while (load<u32>(candidate) != word);
    op = putLiteral(op, emitted, <u32> (ip - emitted));
    do {
      let matched: u32 = 4;
      const offset = <u32> (ip - candidate);
      while (true) {
        const at = ip + matched;
        if (at + 8 <= end) {
          const differs = load<u64>(at) ^ load<u64>(candidate + matched);
          if (differs == 0) {
            matched += 8;
            continue;
          }
          matched += <u32> (ctz(differs) >> 3);
        } else {
          while (ip + matched < end && load<u8>(ip + matched) == load<u8>(candidate + matched)) {
            matched++;
          }
        }
        break;
      }
      op = putCopy(op, offset, matched);
      ip += matched;
      emitted = ip;
      if (ip >= limit) {
        if (emitted < end) op = putLiteral(op, emitted, <u32> (end - emitted));
        return op;
      }
      store<u16>(TABLE + hashOf(load<u32>(ip - 1), shift), <u16> (ip - 1 - src));
      word = load<u32>(ip);
      const slot = TABLE + hashOf(word, shift);
      candidate = src + load<u16>(slot);
      store<u16>(slot, <u16> (ip - src));
    } while (load<u32>(candidate) == word);
    ip++;
  }
}

/** Compresses `n` bytes into `dst` (room for {@link snappyBound} bytes and slack); gives the length. */
export function snappyEncode(src: usize, n: u32, dst: usize): u32 {
  return <u32> (encodeRange(src, n, putLength(dst, n)) - dst);
}

/** Writes the length that a stream begins with; gives where it ends. */
export function putLength(op: usize, n: u32): usize {
  while (n >= 128) {
    store<u8>(op++, n | 128);
    n >>= 7;
  }
  store<u8>(op, n);
  return op + 1;
}

/** Compresses `n` bytes to elements, without a length before them; gives where they end. */
export function encodeRange(from: usize, n: u32, op: usize): usize {
  while (n > 0) {
    const block = min<u32>(n, 65536);
    op = encodeBlock(from, block, op);
    from += block;
    n -= block;
  }
  return op;
}
