import { strict as assert } from "node:assert";
import { type ErrorCode, SedimentError } from "../../shared/errors.ts";

/** The error of a step, which must be a {@link SedimentError} of this code. */
export async function thrown(
  code: ErrorCode,
  step: () => unknown,
): Promise<SedimentError> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof SedimentError)) throw error;
    assert.equal(error.code, code, error.message);
    return error;
  }
  assert.fail(`nothing was thrown where ${code} was expected`);
}
