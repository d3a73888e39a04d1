import type { Kernels } from "../../kernels/kernels.ts";
import type { SchemaTree } from "../../format/schema.ts";
import { ThriftWriter } from "../../format/thrift/thrift_writer.ts";
import { wire } from "../../format/thrift/wire.ts";
import { freeLayout, type Layout } from "./known_layout.ts";

/** Footers that are remembered. */
const mostKnown = 8;

/**
 * Most bytes of schema and key-values of all that are: eight of whole files would take a quarter of the memory, and one of
 * 2,000 columns with its Arrow schema takes 400 KB.
 */
const mostKnownBytes = 2 * 1024 * 1024;

/** A footer that was parsed before: small files with the same bytes of schema are only scanned. */
export interface KnownFooter {
  layout: Layout;
  /** Address of the schema's bytes; the key-values' and the paths stand behind it in the same block. */
  schema: number;
  schemaBytes: number;
  keyValuesAt: number;
  keyValuesBytes: number;
  leafPaths: number;
}

/** The footers of small files that an instance of the kernels remembers, the last one used first. */
export class KnownFooters {
  readonly #kernels: Kernels;
  readonly #known: KnownFooter[] = [];
  /** Of their schemas and key-values. */
  #bytes = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Whether none is remembered. */
  get isEmpty(): boolean {
    return this.#known.length === 0;
  }

  /** The footer that the file in memory has; its groups are in the kernels' table then. */
  find(file: number, size: number): KnownFooter | undefined {
    return this.#known.find((known) =>
      this.#kernels.wasm.scanFooter(
        file,
        size,
        known.schema,
        known.schemaBytes,
        known.keyValuesAt,
        known.keyValuesBytes,
        known.leafPaths,
        known.layout.tree.leaves.length,
      ) !== 0
    );
  }

  /** Makes a footer the one that is asked for first. */
  use(known: KnownFooter): void {
    const index = this.#known.indexOf(known);
    if (index > 0) this.#known.unshift(...this.#known.splice(index, 1));
  }

  /**
   * Remembers the footer of the file that lies in the kernels' memory, and forgets the one that was not used for the
   * longest. False where it can't be scanned or there is no memory for it: the layout stays the caller's then.
   */
  remember(
    file: number,
    size: number,
    layout: Layout,
  ): boolean {
    const kernels = this.#kernels;
    const { wasm } = kernels;
    if (wasm.scanFooter(file, size, 0, 0, 0, 0, 0, 0) === 0) return false;
    const schemaAt = wasm.scanSchemaAt(), schemaBytes = wasm.scanSchemaLength();
    const valuesAt = wasm.scanKeyValuesAt(), keyValuesBytes = wasm.scanKeyValuesLength();
    const bytes = schemaBytes + keyValuesBytes;
    if (bytes > mostKnownBytes) return false;
    while (this.#known.length >= mostKnown || this.#bytes + bytes > mostKnownBytes) {
      this.#forget(this.#known.pop()!);
    }
    const paths = leafPaths(layout.tree);
    const wordBytes = 16 * paths.length;
    const pathBytes = paths.reduce((sum, { bytes }) => sum + bytes.length, 0);
    // words first, which are to be aligned
    const at = wasm.alloc(wordBytes + pathBytes + schemaBytes + keyValuesBytes);
    if (at === 0) return false;
    let path = at + wordBytes;
    const words = paths.flatMap(({ type, isFlat, bytes }) => {
      kernels.bytes(path, bytes.length).set(bytes);
      path += bytes.length;
      return [type, isFlat ? 1 : 0, path - bytes.length, bytes.length];
    });
    kernels.setWords(at, words);
    kernels.view.copyWithin(path, schemaAt, schemaAt + schemaBytes);
    const keyValuesAt = path + schemaBytes;
    kernels.view.copyWithin(keyValuesAt, valuesAt, valuesAt + keyValuesBytes);
    this.#bytes += bytes;
    this.#known.unshift({
      layout,
      schema: path,
      schemaBytes,
      keyValuesAt,
      keyValuesBytes,
      leafPaths: at,
    });
    return true;
  }

  #forget({ layout, leafPaths, schemaBytes, keyValuesBytes }: KnownFooter): void {
    this.#bytes -= schemaBytes + keyValuesBytes;
    freeLayout(this.#kernels, layout);
    this.#kernels.wasm.free(leafPaths);
  }
}

/** For each leaf its type, whether no list stands above it, and its path as a Thrift list. */
function leafPaths(tree: SchemaTree): { type: number; isFlat: boolean; bytes: Uint8Array }[] {
  const thrift = new ThriftWriter(256);
  return tree.leaves.map((leaf) => {
    thrift.reset();
    thrift.list(1, wire.binary, leaf.path.length);
    for (const name of leaf.path) thrift.bytesElement(name);
    const bytes = thrift.view().slice(1); // without the field's header
    return { type: leaf.element.type!, isFlat: leaf.repetitionLevel === 0, bytes };
  });
}
