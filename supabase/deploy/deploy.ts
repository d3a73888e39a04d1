/**
 * `deno task deploy --project-ref REF [NAME …]`: bundles the functions into a temporary Supabase workdir and
 * deploys that with the `supabase` CLI, without Docker. Needs SUPABASE_ACCESS_TOKEN or `supabase login`.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findSupabaseCli } from "../local/parts/supabase_cli.ts";
import { bundleAll, root } from "./bundle.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    "project-ref": { type: "string" },
    "dry-run": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help || (!values["project-ref"] && !values["dry-run"])) {
  console.log(
    `deno task deploy --project-ref REF [NAME ...]   bundle and deploy all functions, or those named
deno task deploy --dry-run                       bundle and lay out the workdir, deploy nothing`,
  );
  Deno.exit(values.help ? 0 : 2);
}

const workdir = await Deno.makeTempDir({ prefix: "sediment-deploy-" });
try {
  const { bundles, fit } = await bundleAll(join(workdir, "supabase", "functions"));
  if (!fit) throw new Error("a bundle is over the limit; nothing was deployed");
  const unknown = positionals.filter((name) => !bundles.some((bundle) => bundle.name === name));
  if (unknown.length > 0) throw new Error(`there is no function ${unknown.join(", ")}`);
  await Deno.writeTextFile(
    join(workdir, "supabase", "config.toml"),
    configFor(bundles.map((bundle) => bundle.name)),
  );
  if (values["dry-run"]) {
    console.log(`would deploy ${bundles.map((bundle) => bundle.name).join(", ")} from ${workdir}`);
  } else {
    const { code } = await new Deno.Command(await findSupabaseCli(), {
      args: [
        ...["functions", "deploy", ...positionals],
        ...["--use-api", "--yes", "--workdir", workdir, "--project-ref", values["project-ref"]!],
      ],
      cwd: root,
    }).spawn().status;
    Deno.exitCode = code;
  }
} catch (error) {
  console.error(`deploy: ${(error as Error).message}`);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(workdir, { recursive: true });
}
Deno.exit();

/** A config.toml that names each bundle; @supabase/server is the one gate, so verify_jwt is off. */
function configFor(names: string[]): string {
  const blocks = names.map((name) =>
    `[functions.${name}]\nentrypoint = "./functions/${name}/index.js"\nverify_jwt = false\n`
  );
  return `project_id = "sediment"\n\n${blocks.join("\n")}`;
}
