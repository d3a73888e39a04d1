/** How large what is planned may be: a body that is too large is refused before any of it has come. */
import { askedAbove } from "../shared/catalog/object_limit.ts";
import { SedimentError } from "../shared/errors.ts";
import type { Services } from "./services.ts";

/**
 * Compares a declared size with what goes through a function, or directly to the store, and with what the store takes as
 * one object.
 *
 * @throws SedimentError `body_too_large`, `catalog_failed`
 */
export async function checkSize(
  { env, objectLimit }: Pick<Services, "env" | "objectLimit">,
  size: number,
  { direct, signal }: { direct: boolean; signal: AbortSignal },
): Promise<void> {
  const most = direct ? env.SEDIMENT_MAX_DIRECT_BYTES : env.SEDIMENT_MAX_BODY_BYTES;
  if (size > most) {
    throw tooLarge(size, most, `at most ${most} bytes${direct ? "" : "; ?direct=1 takes more"}`);
  }
  if (size <= askedAbove) return;
  const taken = await objectLimit(signal);
  if (size > taken) throw tooLarge(size, taken, `at most ${taken} bytes, which the store takes`);
}

function tooLarge(size: number, most: number, expected: string): SedimentError {
  return new SedimentError("body_too_large", `The file has ${size} bytes`, {
    field: "file_size",
    expected,
    extra: { max_bytes: most },
  });
}
