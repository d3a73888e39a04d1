/**
 * `deno task deploy --project-ref REF [NAME …]`: bundles the functions into a temporary Supabase workdir and
 * deploys that with the `supabase` CLI, without Docker. Needs SUPABASE_ACCESS_TOKEN or `supabase login`, and a secret
 * key, to see that the wasm modules are there before the functions that look for them.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createServices } from "../../functions/create_services.ts";
import { asSedimentError } from "../../shared/errors.ts";
import type { ObjectStore } from "../../shared/storage/object_store.ts";
import { findSupabaseCli } from "../local/parts/supabase_cli.ts";
import { bundleAll, root } from "./bundle.ts";
import { absentWasm, removeOldWasm } from "./wasm.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    "project-ref": { type: "string" },
    "dry-run": { type: "boolean", default: false },
    "skip-wasm": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help || (!values["project-ref"] && !values["dry-run"])) {
  console.log(
    `deno task deploy --project-ref REF [NAME ...]   bundle and deploy all functions, or those named
deno task deploy --dry-run                       bundle and lay out the workdir, deploy nothing

  --skip-wasm   do not look whether deno task deploy:wasm was run before
SUPABASE_SECRET_KEY opens the bucket; SUPABASE_URL is https://REF.supabase.co where it isn't set.`,
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
  const store = values["dry-run"] || values["skip-wasm"] ? null : openStore();
  if (store !== null) await demandWasm(store);
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
    // Only now does nothing of the release before the last one run any more.
    if (code === 0 && store !== null && positionals.length === 0) {
      for (const key of await removeOldWasm(store)) console.log(`removed  ${key}`);
    }
  }
} catch (error) {
  console.error(`deploy: ${(error as Error).message}`);
  Deno.exitCode = 1;
} finally {
  await Deno.remove(workdir, { recursive: true });
}
Deno.exit();

/** The store that the functions will use. */
function openStore(): ObjectStore {
  try {
    return createServices({
      SUPABASE_URL: `https://${values["project-ref"]}.supabase.co`,
      ...Object.fromEntries(
        Object.entries(Deno.env.toObject()).filter(([, value]) => value !== ""),
      ),
    }).store;
  } catch (thrown) {
    throw new Error(
      `${asSedimentError(thrown).message}; with --skip-wasm nobody looks for the wasm`,
    );
  }
}

/** Functions that miss a module can't read some files: it goes up first. */
async function demandWasm(store: ObjectStore): Promise<void> {
  const absent = await absentWasm(store);
  if (absent.length === 0) return;
  throw new Error(
    `${
      absent.join(", ")
    } is not in the bucket: run deno task deploy:wasm first; nothing was deployed`,
  );
}

/** A config.toml that names each bundle; @supabase/server is the one gate, so verify_jwt is off. */
function configFor(names: string[]): string {
  const blocks = names.map((name) =>
    `[functions.${name}]\nentrypoint = "./functions/${name}/index.js"\nverify_jwt = false\n`
  );
  return `project_id = "sediment"\n\n${blocks.join("\n")}`;
}
