/** The console's page, which most commands never open: a file beside the command line's one. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Plugin, transform } from "esbuild";
import { root } from "./entries.ts";

const file = "console_page.mjs";

/** Leaves the page out of the bundle: what asks for it finds {@link writePageModule}'s file. */
export const pageModule: Plugin = {
  name: "page-module",
  setup(build) {
    build.onResolve(
      { filter: /\/console\/page_assets\.ts$/ },
      () => ({ path: `./${file}`, external: true }),
    );
  },
};

/** Writes it into the package's folder. */
export async function writePageModule(folder: string): Promise<void> {
  const source = await readFile(join(root, "shared/console/page_assets.ts"), "utf8");
  const { code } = await transform(source, { loader: "ts", format: "esm" });
  await writeFile(join(folder, file), code);
}
