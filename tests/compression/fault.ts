import { strict as assert } from "node:assert";
import { CompressionFault } from "../../shared/compression/compression_fault.ts";

/** The message of the fault of this kind that a step must throw. */
export function fault(kind: CompressionFault["kind"], step: () => unknown): string {
  try {
    step();
  } catch (thrown) {
    if (!(thrown instanceof CompressionFault)) throw thrown;
    assert.equal(thrown.kind, kind, thrown.message);
    return thrown.message;
  }
  assert.fail(`nothing was thrown where a ${kind} fault was expected`);
}
