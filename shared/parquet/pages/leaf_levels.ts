import { kernelErrors } from "../kernels/kernel_error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { parquetError, printable } from "../parquet_error.ts";
import type { SchemaNode, SchemaTree } from "../schema.ts";

/** Words of a leaf's entry; assembly/siblings.ts, LeafLevels. */
const entryWords = 22;

/**
 * What the leaves of a schema share, in the kernels' memory: chunks that are opened with their {@link entry} are
 * compared by {@link check} in what their levels say of the groups above them. Nothing in a schema where no optional
 * or repeated group holds two leaves.
 */
export class LeafLevels {
  readonly #kernels: Kernels;
  readonly #leaves: readonly SchemaNode[];
  /** For the kernels' appendGroup; 0 when nothing is shared. */
  readonly address: number;

  constructor(kernels: Kernels, { leaves }: SchemaTree) {
    this.#kernels = kernels;
    this.#leaves = leaves;
    const words: number[] = new Array(leaves.length * entryWords).fill(0);
    let shares = false;
    for (let i = 1; i < leaves.length; i++) {
      const { repetitionLevel, definitionLevel } = sharedGroup(leaves, i);
      if (definitionLevel === 0) continue;
      shares = true;
      words.splice(entryWords * (i - 1) + 2, 2, repetitionLevel, definitionLevel);
      words.splice(entryWords * i, 2, repetitionLevel, definitionLevel);
    }
    this.address = shares ? kernels.keepWords(words) : 0;
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

/** The deepest group that holds a leaf and the one before it. */
function sharedGroup(leaves: readonly SchemaNode[], index: number): SchemaNode {
  let group = leaves[index - 1].parent!;
  while (group.firstLeaf + group.leafCount <= index) group = group.parent!;
  return group;
}
