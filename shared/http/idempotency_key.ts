/** The `Idempotency-Key` header of one-request uploads. */
import { SedimentError } from "../errors.ts";

/**
 * The client's name for an upload, or undefined when it gave none.
 *
 * @throws SedimentError `invalid_request` unless it is 1 to 255 printable ASCII characters
 */
export function idempotencyKeyOf(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null) return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new SedimentError("invalid_request", "The Idempotency-Key is not well formed", {
    field: "idempotency-key",
    expected: "1 to 255 printable ASCII characters without spaces",
  });
}
