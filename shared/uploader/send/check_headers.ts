/** The caller's headers, as they may be kept and sent. */
import { SedimentError } from "../../errors.ts";

/** Credentials: records outlive sessions and lie on disk. And what the HTTP client alone can know. */
const notKept =
  /^(authorization|apikey|cookie|proxy-authorization|x-signature|content-length|transfer-encoding|host|connection)$/;

/**
 * Names in lower case (two cases of one name would be sent as two values of one header), without those
 * that aren't kept.
 *
 * @throws `invalid_request` for what no request can carry: it would fail at every attempt
 */
export function checkHeaders(headers: Record<string, string>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    try {
      new Headers([[name, value]]);
    } catch (cause) {
      throw new SedimentError(
        "invalid_request",
        `the header ${JSON.stringify(name)} is ${JSON.stringify(value)}`,
        { field: `headers.${name}`, expected: "a name and a value of RFC 9110, in Latin-1", cause },
      );
    }
    if (!notKept.test(name.toLowerCase())) checked[name.toLowerCase()] = value;
  }
  return checked;
}
