/** Secrets that came with a request, compared. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether two texts are the same, in a time that tells neither where they differ nor how long they are. */
export function sameSecret(one: string, other: string): boolean {
  return timingSafeEqual(digest(one), digest(other));
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
