import { strict as assert } from "node:assert";
import type { SedimentError } from "../../shared/errors.ts";

/** What work fails with; that it succeeds fails the test. */
export async function thrownBy(work: Promise<unknown>): Promise<SedimentError> {
  return await work.then(() => assert.fail("it succeeded"), (thrown) => thrown);
}
