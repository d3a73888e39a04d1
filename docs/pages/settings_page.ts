/** docs/settings.md, made of the catalog's column comments, shared/env.ts and the uploader's settings. */
import * as z from "zod/v4/core";
import { envSchema } from "../../shared/env.ts";
import { envName } from "../../shared/uploader/settings/load_settings.ts";
import {
  pendingSettings,
  retrySettings,
  uploadSettings,
} from "../../shared/uploader/settings/settings.ts";
import { type DocumentedKey, documentedKeys } from "./documented_keys.ts";
import { code, shown, table } from "./markdown.ts";

const root = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, root));

const intro = `# Settings

Made by \`deno task docs\` from the column comments of \`supabase/schemas/tables/\`, from \`shared/env.ts\` and from
\`shared/uploader/settings/settings.ts\`: change them there.

| where | for | takes effect |
|---|---|---|
| [\`service_settings\`](#the-deployment-service_settings) | the deployment: one row | with the next call |
| [\`table_settings\`](#a-table-table_settings) | a table of a dataset, or all of its tables (\`*\`) | with the next run |
| [\`user_limits\`](#a-user-user_limits) | what one user may | with the next upload |
| [environment](#the-functions-environment) | the functions | when they are deployed or started anew |
| [the uploader](#the-uploader) | an installation of the client | when it is started |

\`\`\`sql
update public.service_settings set max_workers = 8;
insert into public.table_settings (dataset_id, "table", dedupe_keys) values ('…', 'battles', array['id']);
\`\`\``;

/** Text of the page. */
export async function settingsPage(): Promise<string> {
  return [
    intro,
    "## The deployment: service_settings\n" +
    await columns("supabase/schemas/tables/service_settings.sql", "service_settings"),
    "## A table: table_settings\n" +
    await columns("supabase/schemas/tables/limits.sql", "table_settings"),
    "## A user: user_limits\n" + await columns("supabase/schemas/tables/limits.sql", "user_limits"),
    "## The functions: environment\nEmpty values count as absent. Names that begin with `SUPABASE_` are " +
    "the platform's: hosted projects set them, and secrets of one's own may not begin so.\n\n" +
    await environment(),
    "## The uploader\nOf `[app.asset_sync.SECTION]` in its TOML file, as a variable, or in code; later ones win.\n\n" +
    await uploader(),
  ].join("\n\n") + "\n";
}

/** The columns of a table, by their comments: "Sentences. Unit: bytes. Default: 1 (…)." */
async function columns(path: string, name: string): Promise<string> {
  const text = await read(path);
  const comments = text.matchAll(
    /comment on column public\.(\w+)\."?(\w+)"? is\s+((?:'(?:[^']|'')*'\s*)+);/g,
  );
  const rows = [...comments].filter(([, table]) => table === name).map(([, , column, quoted]) => {
    const comment = [...quoted!.matchAll(/'((?:[^']|'')*)'/g)].map(([, part]) => part).join("")
      .replaceAll("''", "'");
    const [, says, unit, fallback] = /^(.*?)\s*Unit: (.*?)\. Default: (.*)\.$/s.exec(comment) ?? [];
    if (says === undefined) throw new Error(`the comment of ${name}.${column} has no unit`);
    return [code(column), says, unit === "none" ? "" : unit!, fallback!];
  });
  if (rows.length === 0) throw new Error(`${path} has no comments of ${name}`);
  return table(["column", "what it does", "unit", "default"], rows);
}

async function environment(): Promise<string> {
  const documented = documentedKeys(await read("shared/env.ts"), "envSchema = z.object({\n");
  return keys(envSchema, documented, (name) => [code(name)], [
    "variable",
    "what it does",
    "default",
  ]);
}

async function uploader(): Promise<string> {
  const text = await read("shared/uploader/settings/settings.ts");
  const sections = { retry: retrySettings, pending: pendingSettings, upload: uploadSettings };
  return Object.entries(sections).map(([section, schema]) =>
    `### ${section}\n` + keys(
      schema,
      documentedKeys(text, `${section}Settings = z.strictObject({\n`),
      (name) => [code(name), code(envName(section, name))],
      ["key", "variable", "what it does", "default"],
    )
  ).join("\n\n");
}

function keys(
  schema: z.$ZodType,
  documented: DocumentedKey[],
  first: (name: string) => string[],
  head: string[],
): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const known = Object.keys(properties);
  if (documented.map(({ name }) => name).join() !== known.join()) {
    throw new Error(`a schema with ${known} is written as ${documented.map(({ name }) => name)}`);
  }
  return table(
    head,
    documented.map(({ name, says, fallback }) => {
      if (says === "") throw new Error(`${name} has no comment`);
      const property = properties[name] as z.JSONSchema.BaseSchema;
      return [...first(name), says, shown(property.default ?? fallback)];
    }),
  );
}
