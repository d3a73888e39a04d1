/** 64-bit numbers as two 32-bit halves: BigInt is ten times slower here. */
type Half64 = { low: number; high: number };

const prime1: Half64 = { high: 0x9e3779b1, low: 0x85ebca87 };
const prime2: Half64 = { high: 0xc2b2ae3d, low: 0x27d4eb4f };
const prime3: Half64 = { high: 0x165667b1, low: 0x9e3779f9 };
const prime4: Half64 = { high: 0x85ebca77, low: 0xc2b2ae63 };
const prime5: Half64 = { high: 0x27d4eb2f, low: 0x165667c5 };

/**
 * The low 32 bits of XXH64 with seed 0, which is zstandard's content checksum (RFC 8878, 3.1.1; the
 * algorithm: Cyan4973/xxHash, doc/xxhash_spec.md).
 */
export function xxhash64Low(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let hash: Half64;
  if (bytes.length >= 32) {
    const lanes = [add({ ...prime1 }, prime2), { ...prime2 }, { low: 0, high: 0 }, negated(prime1)];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) round(lanes[lane], read64(view, at + lane * 8));
    }
    hash = rotated(lanes[0], 1);
    add(hash, rotated(lanes[1], 7));
    add(hash, rotated(lanes[2], 12));
    add(hash, rotated(lanes[3], 18));
    for (const lane of lanes) {
      xor(hash, round({ low: 0, high: 0 }, lane));
      add(multiply(hash, prime1), prime4);
    }
  } else hash = { ...prime5 };
  add(hash, { low: bytes.length >>> 0, high: 0 });
  for (; at + 8 <= bytes.length; at += 8) {
    xor(hash, round({ low: 0, high: 0 }, read64(view, at)));
    hash = add(multiply(rotated(hash, 27), prime1), prime4);
  }
  if (at + 4 <= bytes.length) {
    xor(hash, multiply({ low: view.getUint32(at, true), high: 0 }, prime1));
    hash = add(multiply(rotated(hash, 23), prime2), prime3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    xor(hash, multiply({ low: bytes[at], high: 0 }, prime5));
    hash = multiply(rotated(hash, 11), prime1);
  }
  xor(hash, { low: hash.high >>> 1, high: 0 }); // hash >> 33
  multiply(hash, prime2);
  xor(hash, { low: (hash.low >>> 29) | (hash.high << 3), high: hash.high >>> 29 });
  multiply(hash, prime3);
  return (hash.low ^ hash.high) >>> 0; // hash >> 32
}

function round(lane: Half64, input: Half64): Half64 {
  add(lane, multiply({ ...input }, prime2));
  const turned = rotated(lane, 31);
  multiply(turned, prime1);
  lane.low = turned.low;
  lane.high = turned.high;
  return lane;
}

function read64(view: DataView, at: number): Half64 {
  return { low: view.getUint32(at, true), high: view.getUint32(at + 4, true) };
}

/** a += b */
function add(a: Half64, b: Half64): Half64 {
  const low = (a.low >>> 0) + (b.low >>> 0);
  a.high = (a.high + b.high + (low > 0xffffffff ? 1 : 0)) | 0;
  a.low = low | 0;
  return a;
}

/** a ^= b */
function xor(a: Half64, b: Half64): Half64 {
  a.low ^= b.low;
  a.high ^= b.high;
  return a;
}

/** a *= b */
function multiply(a: Half64, b: Half64): Half64 {
  const a0 = a.low & 0xffff, a1 = a.low >>> 16, b0 = b.low & 0xffff, b1 = b.low >>> 16;
  const low = a0 * b0;
  const middle = a1 * b0 + (low >>> 16);
  const middle2 = a0 * b1 + (middle & 0xffff);
  const carry = a1 * b1 + (middle >>> 16) + (middle2 >>> 16);
  a.high = (carry + Math.imul(a.low, b.high) + Math.imul(a.high, b.low)) | 0;
  a.low = ((middle2 & 0xffff) << 16) | (low & 0xffff);
  return a;
}

function rotated(a: Half64, count: number): Half64 {
  return {
    low: (a.low << count) | (a.high >>> (32 - count)),
    high: (a.high << count) | (a.low >>> (32 - count)),
  };
}

function negated(a: Half64): Half64 {
  return { low: -a.low | 0, high: (~a.high + (a.low === 0 ? 1 : 0)) | 0 };
}
