/**
 * Writes shared/catalog/database.types.ts from the migrations: `deno task types`. The pinned CLI of deno.json
 * needs Docker for this; 3.1.0 does not, but lacks the packages of some platforms, so npx fetches it here.
 */
import { fileURLToPath } from "node:url";
import { startCluster, withClient } from "./cluster.ts";
import { schemaShape } from "./shape.ts";

const cli = "supabase@3.1.0";

/** The file that is committed. */
export const typesFile = fileURLToPath(
  new URL("../../shared/catalog/database.types.ts", import.meta.url),
);

/** What the file's first lines say. */
export function typesHeader(shape: string): string {
  return `// Generated from the migrations by \`deno task types\` (${cli} gen types); not to be edited.\n` +
    `// shape ${shape}\n`;
}

if (import.meta.main) {
  await using cluster = await startCluster(17);
  const { url } = await cluster.newDatabase();
  const shape = await withClient(url, schemaShape);
  const { success, stdout, stderr } = await new Deno.Command("npx", {
    args: ["-y", cli, "gen", "types", "--lang", "typescript", "--schema", "public"]
      .concat("--remote", `${url}?sslmode=disable`),
    env: { DO_NOT_TRACK: "1", SUPABASE_TELEMETRY_DISABLED: "1", NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const text = new TextDecoder().decode(stdout);
  await Deno.writeTextFile(typesFile, typesHeader(shape) + text.trimStart());
}
