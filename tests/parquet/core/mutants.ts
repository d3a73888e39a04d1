/** Broken versions of a file, from a seed: bytes flipped, cut short, numbers replaced by lying ones. */

/** A small generator of random numbers (mulberry32), so that a seed replays a failure. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** The file with the change that the seed stands for. */
export function mutant(file: Uint8Array, seed: number): Uint8Array {
  const random = randomFrom(seed);
  const bytes = file.slice();
  const footer = new DataView(bytes.buffer, bytes.length - 8).getUint32(0, true);
  const footerStart = Math.max(4, bytes.length - 8 - footer);
  switch (random(6)) {
    case 0: // single bits in the pages
      for (let i = 0; i <= random(4); i++) bytes[4 + random(footerStart - 4)] ^= 1 << random(8);
      return bytes;
    case 1: // bytes in the footer
      for (let i = 0; i <= random(2); i++) {
        bytes[footerStart + random(bytes.length - 8 - footerStart)] = random(256);
      }
      return bytes;
    case 2: { // a varint made long: sizes and counts near 2^31
      const at = 4 + random(Math.max(1, bytes.length - 20));
      bytes.set([0xfe, 0xff, 0xff, 0xff, 0x0f].slice(0, 1 + random(5)), at);
      return bytes;
    }
    case 3: { // a stretch of the pages moved
      const length = 1 + random(64);
      const from = 4 + random(Math.max(1, footerStart - length - 4));
      bytes.copyWithin(4 + random(Math.max(1, footerStart - length - 4)), from, from + length);
      return bytes;
    }
    case 4: { // the first bytes of a chunk: page headers
      const at = 4 + random(Math.min(60, Math.max(1, footerStart - 4)));
      bytes[at] = random(256);
      return bytes;
    }
    default: { // bytes cut out of the pages, the footer kept
      const at = 4 + random(Math.max(1, footerStart - 4));
      const length = Math.min(1 + random(40), footerStart - at);
      const cut = new Uint8Array(bytes.length - length);
      cut.set(bytes.subarray(0, at));
      cut.set(bytes.subarray(at + length), at);
      return cut;
    }
  }
}
