/**
 * One instance of parquet-wasm behind the few synchronous calls that we make. Its own JavaScript keeps a single
 * instance in a module variable for good; ours can be thrown away after a trap, or once its memory has grown
 * (wasm memory never shrinks). The interface is wasm-bindgen's of parquet-wasm 0.8.0, whose hash is pinned.
 */
import { SedimentError } from "../../../errors.ts";

type Value = number;

/** The exports that we call. Functions that can fail give [results…, error index, failed]. */
interface Exports {
  memory: WebAssembly.Memory;
  __wbindgen_externrefs: WebAssembly.Table;
  __wbindgen_start(): void;
  __wbindgen_malloc(size: number, align: number): Value;
  __wbindgen_free(pointer: Value, size: number, align: number): void;
  readParquet(pointer: Value, length: number, options: Value): [Value, Value, Value];
  writeParquet(table: Value, properties: Value): [Value, number, Value, Value];
  writerpropertiesbuilder_new(): Value;
  writerpropertiesbuilder_setCompression(builder: Value, codec: number): Value;
  writerpropertiesbuilder_setDictionaryEnabled(builder: Value, on: number): Value;
  writerpropertiesbuilder_setDataPageSizeLimit(builder: Value, bytes: number): Value;
  writerpropertiesbuilder_setMaxRowGroupSize(builder: Value, rows: number): Value;
  writerpropertiesbuilder_setStatisticsEnabled(builder: Value, level: number): Value;
  writerpropertiesbuilder_build(builder: Value): Value;
}

/** How {@link ParquetWasm.rewrite} writes. */
export interface RewriteOptions {
  codec: "uncompressed" | "snappy" | "zstd";
  /** Whether values may be dictionary-encoded; PLAIN when not. */
  dictionary: boolean;
  /** Size at which a data page is cut, in bytes. */
  pageBytes: number;
  /** Whether chunk statistics are computed. */
  statistics: boolean;
}

const codecs = { uncompressed: 0, snappy: 1, zstd: 5 };

/** Rows of a row group when everything is to stand in one: more than any table has. */
const allRows = 0x7fffffff;

const decoder = new TextDecoder();

/** An instance. Not usable any more once {@link broken} is true. */
export class ParquetWasm {
  readonly #exports: Exports;
  #broken = false;

  constructor(module: WebAssembly.Module) {
    // deno-lint-ignore prefer-const
    let exports: Exports;
    const message = (pointer: Value, length: number) =>
      decoder.decode(new Uint8Array(exports.memory.buffer, pointer >>> 0, length >>> 0));
    const imports: Record<string, WebAssembly.ImportValue> = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      // every import must be there; what belongs to streams, fetch and promises is never called
      imports[name] = () => {
        throw new Error(`parquet-wasm called ${from} ${name}, which is not provided`);
      };
      if (name.startsWith("__wbg_Error_")) {
        imports[name] = (pointer: Value, length: number) => new Error(message(pointer, length));
      } else if (name.startsWith("__wbg___wbindgen_throw_")) {
        imports[name] = (pointer: Value, length: number) => {
          throw new Error(message(pointer, length));
        };
      } else if (name === "__wbindgen_init_externref_table") {
        imports[name] = () => {
          // wasm-bindgen's layout: slot 0 and four more for undefined, null, true, false
          const table = exports.__wbindgen_externrefs;
          const first = table.grow(4);
          table.set(0, undefined);
          [undefined, null, true, false].forEach((value, i) => table.set(first + i, value));
        };
      }
    }
    const instance = new WebAssembly.Instance(module, { "./parquet_wasm_bg.js": imports });
    exports = instance.exports as unknown as Exports;
    this.#exports = exports;
    exports.__wbindgen_start();
  }

  /** Whether a call trapped or failed: memory may be lost or inconsistent, so make a new instance. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Bytes of memory that the instance holds. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /**
   * Reads a whole Parquet file into Arrow arrays and writes them as another one with a single row group.
   * Throws `invalid_parquet` when the bytes can't be read; the instance is then {@link broken}.
   */
  rewrite(file: Uint8Array, options: RewriteOptions): Uint8Array {
    if (this.#broken) throw new SedimentError("internal", "a broken wasm instance was used again");
    const wasm = this.#exports;
    try {
      const input = wasm.__wbindgen_malloc(file.length, 1) >>> 0;
      new Uint8Array(wasm.memory.buffer).set(file, input);
      const [table, readError, readFailed] = wasm.readParquet(input, file.length, 0);
      if (readFailed) throw wasm.__wbindgen_externrefs.get(readError);
      const [at, length, writeError, writeFailed] = wasm.writeParquet(
        table,
        this.#properties(options),
      );
      if (writeFailed) throw wasm.__wbindgen_externrefs.get(writeError);
      const output = new Uint8Array(wasm.memory.buffer, at >>> 0, length >>> 0).slice();
      wasm.__wbindgen_free(at, length, 1);
      return output;
    } catch (cause) {
      this.#broken = true;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SedimentError("invalid_parquet", `the pages can't be decoded: ${reason}`, {
        cause,
      });
    }
  }

  #properties(options: RewriteOptions): Value {
    const wasm = this.#exports;
    let builder = wasm.writerpropertiesbuilder_new();
    builder = wasm.writerpropertiesbuilder_setCompression(builder, codecs[options.codec]);
    builder = wasm.writerpropertiesbuilder_setDictionaryEnabled(
      builder,
      options.dictionary ? 1 : 0,
    );
    builder = wasm.writerpropertiesbuilder_setDataPageSizeLimit(builder, options.pageBytes);
    builder = wasm.writerpropertiesbuilder_setMaxRowGroupSize(builder, allRows);
    builder = wasm.writerpropertiesbuilder_setStatisticsEnabled(
      builder,
      options.statistics ? 1 : 0,
    );
    return wasm.writerpropertiesbuilder_build(builder);
  }
}
