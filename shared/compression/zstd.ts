/** zstd (RFC 8878) in wasm: of pages that are written, and of Avro blocks. Pages that are read are the kernels'. */
import { SedimentError } from "../errors.ts";
import { pinnedModule, type WasmLoader } from "../wasm/pinned_module.ts";
import { wasmModules } from "../wasm/wasm_modules.ts";
import { broken, tooLarge } from "./compression_fault.ts";

/** Memory that the instance may take, in bytes: two contexts and the largest page twice. */
const maximumMemory = 96 * 1024 * 1024;

/** The module's exports by their minified names in 0.0.27, which the hash pins. */
interface Exports {
  f: WebAssembly.Memory;
  /** constructors */
  g(): void;
  /** ZSTD_isError */
  h(code: number): number;
  /** ZSTD_compressBound */
  i(size: number): number;
  /** ZSTD_createCCtx */
  j(): number;
  /** ZSTD_compress_usingDict(context, target, capacity, source, size, dictionary, its size, level) */
  l(
    context: number,
    target: number,
    capacity: number,
    source: number,
    size: number,
    dictionary: number,
    dictionarySize: number,
    level: number,
  ): number;
  /** ZSTD_createDCtx */
  n(): number;
  /** ZSTD_decompress_usingDict(context, target, capacity, source, size, dictionary, its size) */
  q(
    context: number,
    target: number,
    capacity: number,
    source: number,
    size: number,
    dictionary: number,
    dictionarySize: number,
  ): number;
  /** malloc */
  s(size: number): number;
  /** free */
  t(pointer: number): void;
}

const zstdModule = pinnedModule(wasmModules.zstd, maximumMemory);

/** Codes of zstd's errors, which it gives as negative lengths (zstd_errors.h). */
const errors = { checksumWrong: 22, dictionaryWrong: 32, targetTooSmall: 70 };

/**
 * zstd in an instance of its own. The npm package's JavaScript makes contexts and buffers anew for each call
 * and keeps one instance for ever; here both are kept from page to page.
 */
export class Zstd {
  readonly #exports: Exports;
  readonly #compressor: number;
  readonly #decompressor: number;
  readonly #source = { at: 0, size: 0 };
  readonly #target = { at: 0, size: 0 };
  #view = new Uint8Array(0);

  private constructor(module: WebAssembly.Module) {
    const fail = () => {
      throw new SedimentError("internal", "zstd.wasm aborted");
    };
    const grow = (size: number): number => {
      const memory = this.#exports.f;
      const pages = Math.ceil((size - memory.buffer.byteLength) / 65_536);
      try {
        memory.grow(Math.max(pages, 16));
        return 1;
      } catch {
        return 0;
      }
    };
    const instance = new WebAssembly.Instance(module, {
      a: { a: fail, b: () => {}, c: fail, d: () => 0, e: grow },
    });
    this.#exports = instance.exports as unknown as Exports;
    this.#exports.g();
    this.#compressor = this.#exports.j();
    this.#decompressor = this.#exports.n();
    if (this.#compressor === 0 || this.#decompressor === 0) fail();
  }

  /**
   * Loads and compiles zstd.wasm when it is first needed. Throws `misconfigured` when it isn't there or isn't
   * the pinned one.
   * @param load where the bytes come from; without it node_modules of the checkout
   */
  static async open(load?: WasmLoader): Promise<Zstd> {
    return new Zstd(await zstdModule(load));
  }

  /** All of the memory; anew after it has grown. One made for each page would be a good part of all garbage. */
  get #memory(): Uint8Array {
    if (this.#view.length === 0) this.#view = new Uint8Array(this.#exports.f.buffer);
    return this.#view;
  }

  /** Bytes of memory that the instance holds. */
  get memoryBytes(): number {
    return this.#exports.f.buffer.byteLength;
  }

  /**
   * Decompresses frames to as many bytes as they hold.
   * @param capacity most bytes that are given memory; @param room the limit that a fault names
   * @throws CompressionFault
   */
  decompressWithin(source: Uint8Array, capacity: number, room: number): Uint8Array {
    if (!this.#reserve(source.length, capacity)) throw tooLarge(room);
    const length = this.#decompress(source, capacity);
    const { at } = this.#target;
    if (length >= 0) return this.#memory.slice(at, at + length);
    if (length === -errors.targetTooSmall) throw tooLarge(room);
    throw broken(
      length === -errors.checksumWrong
        ? "zstandard: the checksum of a frame differs"
        : length === -errors.dictionaryWrong
        ? "zstandard: a frame needs a dictionary"
        : `zstandard: the data is broken (zstd's error ${-length})`,
    );
  }

  /** Bytes that were written to the target, or the error's code below zero. */
  #decompress(source: Uint8Array, capacity: number): number {
    this.#memory.set(source, this.#source.at);
    return this.#exports.q(
      this.#decompressor,
      this.#target.at,
      capacity,
      this.#source.at,
      source.length,
      0,
      0,
    ) | 0;
  }

  /**
   * Compresses to a view of the instance's memory, valid until the next call.
   * @param level 1 costs little more than snappy and saves a quarter of the bytes
   */
  compress(source: Uint8Array, level = 1): Uint8Array {
    const { h, i, l } = this.#exports;
    const bound = i(source.length) >>> 0;
    if (!this.#reserve(source.length, bound)) {
      throw new SedimentError("internal", "zstd has no memory left");
    }
    this.#memory.set(source, this.#source.at);
    const length = l(
      this.#compressor,
      this.#target.at,
      bound,
      this.#source.at,
      source.length,
      0,
      0,
      level,
    );
    if (h(length) !== 0) throw new SedimentError("internal", `zstd failed with ${length}`);
    const { at } = this.#target;
    return this.#memory.subarray(at, at + (length >>> 0));
  }

  #reserve(source: number, target: number): boolean {
    return this.#reserveOne(this.#source, source) && this.#reserveOne(this.#target, target);
  }

  #reserveOne(buffer: { at: number; size: number }, size: number): boolean {
    if (buffer.size >= size && buffer.at !== 0) return true;
    const { s, t } = this.#exports;
    if (buffer.at !== 0) t(buffer.at);
    buffer.size = size + (size >> 2) + 1024;
    buffer.at = s(buffer.size) >>> 0;
    if (buffer.at !== 0) return true;
    buffer.size = 0;
    return false;
  }
}
