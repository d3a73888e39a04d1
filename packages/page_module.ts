/** The console, which most commands never open: a file beside the command line's one. */
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { root } from "./entries.ts";

const file = "console.mjs";

/** Leaves the console out of the bundle: what asks for it finds {@link writePageModule}'s file. */
export const pageModule: Plugin = {
  name: "page-module",
  setup(build) {
    build.onResolve(
      { filter: /\/console\/local_console\.ts$/ },
      () => ({ path: `./${file}`, external: true }),
    );
  },
};

/** Writes it into the package's folder. */
export async function writePageModule(folder: string): Promise<void> {
  await build({
    entryPoints: [join(root, "shared/console/local_console.ts")],
    outfile: join(folder, file),
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22",
    minify: true,
    legalComments: "none",
    logLevel: "error",
  });
}
