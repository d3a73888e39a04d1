/**
 * The source of the catalog: the files of supabase/schemas in the order of config.toml's `schema_paths`. Patterns
 * mean what they mean to the CLI: `*` stays within a folder, what one matches is sorted, and a file that an earlier
 * one has matched is not taken again.
 */
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";

/** The folder that the paths of config.toml start from. */
const supabaseFolder = fileURLToPath(new URL("../", import.meta.url));

/** One file of supabase/schemas. */
export interface SchemaFile {
  /** From the folder supabase, as in `schemas/uploads/commit_upload.sql`. */
  path: string;
  /** What it makes: the file's name without its ending. */
  name: string;
  text: string;
}

/**
 * Every file of the source, in the order in which an empty database takes them.
 *
 * @throws when a pattern matches nothing, or a file of supabase/schemas is matched by none: neither would be missed
 */
export async function schemaFiles(folder: string = supabaseFolder): Promise<SchemaFile[]> {
  const config = parse(await Deno.readTextFile(`${folder}/config.toml`)) as {
    db: { migrations: { schema_paths: string[] } };
  };
  const all = (await sqlFiles(folder, "schemas")).sort();
  const ordered = new Set<string>();
  for (const pattern of config.db.migrations.schema_paths) {
    const matches = all.filter((path) => matcher(pattern).test(path));
    if (matches.length === 0) throw new Error(`config.toml: ${pattern} matches no file`);
    for (const path of matches) ordered.add(path);
  }
  const forgotten = all.filter((path) => !ordered.has(path));
  if (forgotten.length > 0) {
    throw new Error(`config.toml: no pattern of schema_paths matches ${forgotten.join(", ")}`);
  }
  return await Promise.all([...ordered].map(async (path) => ({
    path,
    name: path.slice(path.lastIndexOf("/") + 1, -".sql".length),
    text: await Deno.readTextFile(`${folder}/${path}`),
  })));
}

function matcher(pattern: string): RegExp {
  const literal = pattern.replace(/^\.\//, "").replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("*", "[^/]*")}$`);
}

async function sqlFiles(root: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${root}/${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await sqlFiles(root, path));
    else if (entry.name.endsWith(".sql")) found.push(path);
  }
  return found;
}
