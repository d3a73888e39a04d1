import { createHash } from "node:crypto";
import type { SchemaTree } from "./schema.ts";
import { schemaText } from "./schema_text.ts";

/**
 * SHA-256 of {@link schemaText} in hex: equal for files whose rows can stand in one table unchanged.
 * @param reading what of the file's keys changes how its values are read (`readingText`)
 */
export function schemaFingerprint(tree: SchemaTree, reading = ""): string {
  return createHash("sha256").update(schemaText(tree) + reading).digest("hex");
}
