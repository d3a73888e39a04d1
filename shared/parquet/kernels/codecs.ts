import { gunzipSync } from "node:zlib";
import { unbrotli } from "../../compression/brotli.ts";
import { gunzip } from "../../compression/gzip.ts";
import { inOnePiece, releaseOutput } from "../../compression/one_piece.ts";
import { hostLimits } from "../../compression/host_limits.ts";
import { codec } from "../format/metadata.ts";

/** How a page was decompressed, as the kernels take it; assembly/host.ts. */
export const inflated = { broken: 0, done: 1, unknown: 2 } as const;

/** Whether pages of a codec can be unpacked here within a bound; else they are to be decoded. */
export function canUnpack(which: number, limits = hostLimits()): boolean {
  return which !== codec.BROTLI || limits.brotli;
}

/** Decompresses the codecs that the kernels leave to the host, into exactly `target`'s length. */
export type Inflate = (codec: number, source: Uint8Array, target: Uint8Array) => number;

/**
 * gzip and brotli by node:zlib; `broken` when the bytes are or do not give exactly as many as the page declares. node:zlib's
 * limit stops a bomb before it is unpacked. Where it has none (Deno 2.1) gzip is ours, and brotli is `unknown`: a merge then has
 * it decoded in wasm of limited memory.
 */
export function hostInflate(limits = hostLimits()): Inflate {
  return (which, source, target) => {
    try {
      if (!canUnpack(which, limits)) return inflated.unknown;
      const bytes = which === codec.BROTLI
        ? unbrotli(source, target.length)
        : limits.gzip
        ? gunzipSync(source, inOnePiece(target.length))
        : gunzip(source, target.length);
      if (bytes.length !== target.length) return inflated.broken;
      target.set(bytes);
      releaseOutput(bytes);
      return inflated.done;
    } catch {
      return inflated.broken;
    }
  };
}
