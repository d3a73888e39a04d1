/** What the kernels need of a runtime to read pages: a browser's, Node's or Deno's, found out when it runs. */
import { crc32 } from "../../compression/crc32.ts";
import { gunzipMembers } from "../../compression/gzip_members.ts";
import { unzstd } from "../../compression/zstd_frames/zstd_frames.ts";
import { codec } from "../../parquet/format/metadata.ts";
import type { KernelHost } from "../../parquet/kernels/kernels.ts";

/** Decompresses one page into exactly `length` bytes; throws when it can't. */
export type Decompress = (bytes: Uint8Array, length: number) => Uint8Array;

/** Codecs that no browser has. */
export interface ReaderCodecs {
  /** Needed where there is no node:zlib, and a file has brotli pages. */
  brotli?: Decompress;
}

/** The part of node:zlib that is used; zstd is there since Node 22.15. */
interface Zlib {
  crc32(bytes: Uint8Array): number;
  gunzipSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
  brotliDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
  zstdDecompressSync?(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

/** As the kernels take it; assembly/host.ts. */
const broken = 0, done = 1, unknown = 2;

/** node:zlib without an import, which a bundle for browsers could not resolve. */
function hostZlib(): Zlib | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): unknown };
  };
  const zlib = process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;
  return typeof zlib?.crc32 === "function" ? zlib : null;
}

/** The host of this runtime. @param zlib node:zlib, null where there is none */
export function readerHost(
  codecs: ReaderCodecs = {},
  zlib: Zlib | null = hostZlib(),
): KernelHost {
  const bounded = (length: number) => ({ maxOutputLength: Math.max(1, length) });
  const zstd = zlib?.zstdDecompressSync?.bind(zlib);
  const decompress: Record<number, Decompress | undefined> = {
    [codec.GZIP]: zlib === null
      ? (bytes, length) => gunzipMembers(bytes, length, crc32)
      : (bytes, length) => zlib.gunzipSync(bytes, bounded(length)),
    [codec.ZSTD]: zstd === undefined ? unzstd : (bytes, length) => zstd(bytes, bounded(length)),
    [codec.BROTLI]: codecs.brotli ??
      (zlib === null
        ? undefined
        : (bytes, length) => zlib.brotliDecompressSync(bytes, bounded(length))),
  };
  return {
    crc32: zlib === null ? crc32 : (bytes) => zlib.crc32(bytes),
    inflate(which, source, target) {
      const unpack = decompress[which];
      if (unpack === undefined) return unknown;
      try {
        const bytes = unpack(source, target.length);
        if (bytes.length !== target.length) return broken;
        target.set(bytes);
        return done;
      } catch {
        return broken;
      }
    },
  };
}
