/**
 * apache-arrow in the command line's one file: not in it, since it is half as large as all the rest, but loaded
 * from beside it when a command reads rows. npm installs it with the package, as an optional dependency.
 */
import type { Plugin } from "esbuild";

const name = "apache-arrow";

/** See the file's head. */
export const optionalArrow: Plugin = {
  name: "optional-arrow",
  async setup(build) {
    const names = Object.keys(await import("apache-arrow")).filter((one) => one !== "default");
    build.onResolve(
      { filter: /^apache-arrow$/ },
      (args) =>
        args.namespace === name ? { path: name, external: true } : { path: name, namespace: name },
    );
    build.onLoad({ filter: /.*/, namespace: name }, () => ({
      contents: `const found = await import(${JSON.stringify(name)});
        export const { ${names.join(", ")} } = found;`,
      resolveDir: ".",
    }));
  },
};
