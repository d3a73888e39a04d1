import { kernelErrors } from "./kernel_error.ts";
import type { Kernels } from "./kernels.ts";
import { parquetError, printable } from "../format/parquet_error.ts";
import { repetition } from "../format/metadata.ts";
import type { SchemaNode, SchemaTree } from "../format/schema.ts";

/** Words of a leaf's entry, and the one that has the address of its lists; assembly/siblings.ts, LeafLevels. */
const entryWords = 24, listsWord = 5;

/**
 * What the leaves of a schema share and the lists that they are in, in the kernels' memory: of chunks that are opened
 * with their {@link entry} the levels must nest as the lists do, and {@link check} compares what those of neighbours
 * say of the groups above them. Nothing in a schema without lists where no optional group holds two leaves.
 */
export class LeafLevels {
  readonly #kernels: Kernels;
  readonly #leaves: readonly SchemaNode[];
  /** For the kernels' appendGroup; 0 when there is nothing to check. */
  readonly address: number;

  constructor(kernels: Kernels, { leaves }: SchemaTree) {
    this.#kernels = kernels;
    this.#leaves = leaves;
    const words: number[] = new Array(leaves.length * entryWords).fill(0);
    let checks = false;
    for (let i = 1; i < leaves.length; i++) {
      const { repetitionLevel, definitionLevel } = sharedGroup(leaves, i);
      if (definitionLevel === 0) continue;
      checks = true;
      words.splice(entryWords * (i - 1) + 2, 2, repetitionLevel, definitionLevel);
      words.splice(entryWords * i, 2, repetitionLevel, definitionLevel);
    }
    const lists = leaves.map(listLevels);
    const listBytes = lists.reduce((sum, { length }) => sum + length, 0);
    checks ||= listBytes > 0;
    this.address = checks ? kernels.alloc(4 * words.length + listBytes) : 0;
    if (!checks) return;
    let at = this.address + 4 * words.length;
    lists.forEach((levels, i) => {
      if (levels.length === 0) return;
      words[entryWords * i + listsWord] = at;
      kernels.bytes(at, levels.length).set(levels);
      at += levels.length;
    });
    kernels.setWords(this.address, words);
  }

  /** The entry of a leaf for the kernels' openChunk. */
  entry(leaf: number): number {
    return this.address === 0 ? 0 : this.address + 4 * entryWords * leaf;
  }

  /** Compares the chunks of a row group that were read whole; throws `invalid_parquet`, naming the column. */
  check(): void {
    if (this.address === 0) return;
    if (this.#kernels.wasm.levelsAgree(this.address, this.#leaves.length) === 0) throw this.fault();
  }

  /** Whether the kernels' last error is that leaves differ. */
  get differ(): boolean {
    return this.#kernels.wasm.getErrorCode() === kernelErrors.siblingDiffers;
  }

  /** The error of leaves that differ. */
  fault(): Error {
    const index = this.#kernels.wasm.getErrorA();
    const path = (node: SchemaNode) => printable(node.path.join("."));
    return parquetError(
      "invalid_parquet",
      `the levels contradict those of column ${path(this.#leaves[index - 1])} on where ` +
        `${path(sharedGroup(this.#leaves, index))} is null, empty or longer`,
      { column: this.#leaves[index].path },
    );
  }

  /** Gives the memory back. */
  free(): void {
    this.#kernels.wasm.free(this.address);
  }
}

/** By repetition level the definition level of the entries of a leaf's list there; empty where it is in none. */
function listLevels(leaf: SchemaNode): number[] {
  if (leaf.repetitionLevel === 0) return [];
  const levels: number[] = new Array(leaf.repetitionLevel + 1).fill(0);
  for (let node: SchemaNode | undefined = leaf; node !== undefined; node = node.parent) {
    if (node.repetition === repetition.REPEATED) {
      levels[node.repetitionLevel] = node.definitionLevel;
    }
  }
  return levels;
}

/** The deepest group that holds a leaf and the one before it. */
function sharedGroup(leaves: readonly SchemaNode[], index: number): SchemaNode {
  let group = leaves[index - 1].parent!;
  while (group.firstLeaf + group.leafCount <= index) group = group.parent!;
  return group;
}
