/**
 * The deep check of an upload: every page is decompressed and decoded once, and nothing is kept. The footer and
 * the page headers of a broken file may well be whole (pages carry no CRC unless the writer added one).
 */
import { MiB } from "../format/healthy_group.ts";
import type { ParquetFacts } from "./inspect.ts";
import { kernelErrors } from "../kernels/kernel_error.ts";
import { isTrap, trapped } from "../kernels/trap.ts";
import { HostKernels } from "../kernels/host_kernels.ts";
import type { KernelLimits } from "../kernels/kernels.ts";
import { LeafLevels } from "../kernels/leaf_levels.ts";
import { holdsText, valueWidth } from "../format/value_order.ts";
import { atPlace } from "../format/parquet_error.ts";
import type { Pause } from "./pause.ts";

const limits: KernelLimits = { memoryBytes: 112 * MiB, pageBytes: 64 * MiB, pageValues: 16 * MiB };

/** Wasm memory never shrinks: an instance that has grown past this is dropped, bytes. */
const retireBytes = 24 * MiB;

/** Kept from file to file: making one costs more than checking a small file. */
let kept: HostKernels | undefined;

/** How {@link checkValues} finds what it needs. */
export interface CheckValuesOptions {
  /** Asked after each page. @default none: all at once */
  pause?: Pause;
}

/**
 * Decodes every page of a file that `inspectParquetBytes` has taken.
 *
 * @param bytes the whole file
 * @param facts what inspectParquetBytes found
 * @returns false when something could not be checked: a codec or an encoding that the kernels do not know. On
 * Deno 2.1 brotli is one (kernels/codecs.ts): of its pages only the headers are checked, until a merge decodes them.
 * @throws SedimentError `invalid_parquet`, `page_too_large`, naming row group, column and page
 */
export async function checkValues(
  bytes: Uint8Array,
  facts: Pick<ParquetFacts, "chunks" | "tree">,
  options: CheckValuesOptions = {},
): Promise<boolean> {
  const kernels = kept ?? new HostKernels(limits);
  kept = undefined;
  return await stoppedByTraps(() => checkWith(kernels, bytes, facts, options.pause));
}

/** After an error the instance is dropped instead: nothing of a hostile file outlives it. */
function keep(kernels: HostKernels): void {
  if (kernels.memoryBytes <= retireBytes) kept = kernels;
}

/** What `check` gives; a trap of the kernels says that the file can't be taken. */
async function stoppedByTraps(check: () => Promise<boolean>): Promise<boolean> {
  try {
    return await check();
  } catch (error) {
    throw isTrap(error) ? trapped(error) : error;
  }
}

function checkLevels(levels: LeafLevels, rowGroup: number): void {
  try {
    levels.check();
  } catch (error) {
    throw atPlace(error, { rowGroup });
  }
}

async function checkWith(
  kernels: HostKernels,
  bytes: Uint8Array,
  { chunks, tree }: Pick<ParquetFacts, "chunks" | "tree">,
  pause: Pause | undefined,
): Promise<boolean> {
  const { wasm } = kernels;
  const scratch = wasm.newColumn(6, 0, 0, 0, 0);
  if (scratch === 0) throw kernels.error({});
  const levels = new LeafLevels(kernels, tree);
  let all = true;
  try {
    wasm.startGroup(scratch, 1);
    const columns = tree.leaves.length;
    for (let rowGroup = 0; rowGroup < chunks.groups; rowGroup++) {
      const numRows = chunks.rows(rowGroup);
      for (let index = 0; index < columns; index++) {
        const leaf = tree.leaves[index]!;
        const chunk = rowGroup * columns + index;
        const start = chunks.start(chunk), length = chunks.length(chunk);
        if (numRows === 0 && length === 0) continue;
        wasm.requireText(scratch, holdsText(leaf) ? 1 : 0);
        wasm.openChunk(
          leaf.element.type!,
          valueWidth(leaf),
          leaf.definitionLevel,
          leaf.repetitionLevel,
          chunks.codec(chunk),
          chunks.values(chunk),
          numRows,
          0,
          0,
          0,
          // decoded though a CRC is right: anybody can write a right CRC of broken bytes
          1,
          levels.entry(index),
        );
        let at = kernels.input(bytes.subarray(start, start + length));
        let left = length, taken = 0;
        // page by page: each may be a hundred thousand times what it is here
        do {
          taken = wasm.appendPages(scratch, at, left, 1, 1);
          at += taken;
          left -= taken;
          const waiting = pause?.();
          if (waiting !== undefined) await waiting;
        } while (taken > 0);
        if (taken === 0 && wasm.closeChunk() !== 0) continue;
        const code = wasm.getErrorCode();
        const unknown = code === kernelErrors.unknownEncoding || code === kernelErrors.unknownCodec;
        if (!unknown) {
          throw kernels.error({ rowGroup, column: leaf.path, page: wasm.getPagesRead() });
        }
        all = false;
      }
      // chunks of groups without rows need not be there
      if (numRows > 0) checkLevels(levels, rowGroup);
    }
    levels.free();
  } finally {
    wasm.freeColumn(scratch);
  }
  // here, not once the caller has waited: checks that begin in the same turn of the loop would each make an instance
  keep(kernels);
  return all;
}
