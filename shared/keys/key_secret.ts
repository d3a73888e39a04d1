/** The secret of a key: what its holder has, and what the catalog keeps of it. */
import { createHash } from "node:crypto";

/** A new secret: 256 random bits. It is told once. */
export function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return `sdk_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** What the catalog knows a secret by. No salt: there is nothing to guess in 256 random bits. */
export function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
