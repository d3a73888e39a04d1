import { brotliDecompressSync, gunzipSync } from "node:zlib";

/** Whether node:zlib stops at `maxOutputLength`, so that a bomb may be given to it. */
export interface HostLimits {
  gzip: boolean;
  brotli: boolean;
}

// 256 zeros, by zlib and by brotli
// deno-fmt-ignore
const gzipped = [
  31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 99, 96, 24, 217, 0, 0, 88, 133, 150, 13, 0, 1, 0, 0,
];
const brotlied = [27, 255, 0, 248, 39, 0, 98, 177, 64, 32, 7];

let found: HostLimits | undefined;

/** Tries the limits once: Node and Deno 2.9 hold them, Deno 2.1 ignores the option and unpacks everything. */
export function hostLimits(): HostLimits {
  found ??= {
    gzip: stops(() => gunzipSync(Uint8Array.from(gzipped), { maxOutputLength: 16 })),
    brotli: stops(() => brotliDecompressSync(Uint8Array.from(brotlied), { maxOutputLength: 16 })),
  };
  return found;
}

function stops(unpack: () => unknown): boolean {
  try {
    unpack();
    return false;
  } catch {
    return true;
  }
}
