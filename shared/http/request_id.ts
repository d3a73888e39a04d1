/** Request ids: the caller's when it is harmless, else a new one; sent back with every answer. */

/** Header that carries the id in and out. */
export const requestIdHeader = "x-request-id";

/** The caller's `x-request-id` when it is 1 to 128 of `A-Z a-z 0-9 . _ : -`, else a new UUID. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(requestIdHeader);
  return given !== null && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}
