/** What a migration says, whatever splits it into statements. */
import { createHash } from "node:crypto";

/**
 * SHA-256 of a migration without white space and semicolons: the CLI keeps what it applied as a list of statements,
 * trimmed and without what stood between them, and how it splits is its own affair.
 *
 * @param text of the file, or its statements
 */
export function statementsDigest(text: string | string[]): string {
  const joined = typeof text === "string" ? text : text.join(";");
  return createHash("sha256").update(joined.replace(/[\s;]+/g, "")).digest("hex");
}
