import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { codec } from "../metadata.ts";
import type { Zstd } from "./zstd.ts";

/** Decompresses the codecs that the kernels leave to the host, into exactly `target`'s length. */
export type Inflate = (codec: number, source: Uint8Array, target: Uint8Array) => boolean;

/**
 * gzip and brotli by node:zlib, zstd by the given instance; false when the bytes are broken or do not give
 * exactly as many as the page declares. node:zlib's limit stops a bomb before it is unpacked.
 */
export function hostInflate(zstd: () => Zstd | undefined): Inflate {
  return (which, source, target) => {
    try {
      if (which === codec.ZSTD) return zstd()?.decompress(source, target) ?? false;
      const options = { maxOutputLength: Math.max(1, target.length) };
      const bytes = which === codec.GZIP
        ? gunzipSync(source, options)
        : brotliDecompressSync(source, options);
      if (bytes.length !== target.length) return false;
      target.set(bytes);
      return true;
    } catch {
      return false;
    }
  };
}
