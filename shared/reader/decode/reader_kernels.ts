import { SedimentError } from "../../errors.ts";
import { type KernelHost, type KernelLimits, Kernels } from "../../parquet/kernels/kernels.ts";
import { moduleOf } from "../../parquet/kernels/module_of.ts";
import { kernelsBase64 } from "../../parquet/kernels/reader_kernels.generated.ts";

/** What the reader's kernels export beside those that all have; assembly/arrow.ts. */
export interface ArrowExports {
  takeRows(column: number, cursor: number, rows: number, slotLevel: number): number;
  dropTaken(cursor: number): void;
  settle(column: number, cursor: number): void;
  arrowLevels(): number;
  arrowSlots(): number;
  arrowNulls(): number;
  arrowBitmap(): number;
  arrowValues(): number;
  arrowValueBytes(): number;
  arrowOffsets(): number;
  arrowDefs(): number;
  arrowReps(): number;
}

let compiled: WebAssembly.Module | undefined;

/** The kernels that read, without those of a merge. */
export class ReaderKernels extends Kernels {
  /** Throws `misconfigured` where the page's policy allows no WebAssembly. */
  constructor(limits: KernelLimits, host: KernelHost) {
    compiled ??= compile();
    super(compiled, limits, host);
  }

  /** The exports that lay out Arrow. */
  get arrow(): ArrowExports {
    return this.wasm as unknown as ArrowExports;
  }
}

function compile(): WebAssembly.Module {
  try {
    return moduleOf(kernelsBase64);
  } catch (cause) {
    throw new SedimentError("misconfigured", "WebAssembly can't be compiled here", {
      expected: "a Content-Security-Policy with 'wasm-unsafe-eval' in script-src",
      cause,
    });
  }
}
