/** What a bundler can't know of our modules, told to it: an uploader in a browser is a third smaller by it. */
import { readFile } from "node:fs/promises";
import type { Plugin } from "esbuild";

/**
 * Schemas at the top of shared/protocol are made by calls, which a bundler must keep unless it is told that they
 * do nothing else: so those that nobody uses go. Titles of errors are for HTTP answers, which no client gives.
 */
export const slim: Plugin = {
  name: "slim",
  setup(build) {
    build.onLoad({ filter: /shared[\\/]protocol[\\/]\w+\.ts$/ }, async ({ path }) => ({
      contents: asPure(await readFile(path, "utf8")),
      loader: "ts",
    }));
    build.onLoad({ filter: /shared[\\/]errors\.ts$/ }, async ({ path }) => ({
      contents: withoutTitles(await readFile(path, "utf8")),
      loader: "ts",
    }));
    build.onResolve({ filter: /^lodash\.uniqby$/ }, () => ({ path: "uniq_by", namespace: "slim" }));
    build.onLoad({ filter: /.*/, namespace: "slim" }, () => ({
      contents: `module.exports = ${uniqBy};`,
      loader: "js",
    }));
  },
};

/**
 * In place of lodash.uniqby, which brings 20 KB of ways to say what to compare by: a dependency of tus-js-client's, which
 * calls it with a function, and we store no URLs where it would. The first element of each key, in order.
 */
export function uniqBy<T>(list: T[], keyOf: (element: T) => unknown): T[] {
  const keys = new Set(list.map(keyOf));
  return list.filter((element) => keys.delete(keyOf(element)));
}

/** Top-level constants that a call makes, marked as pure. As `deno fmt` writes them, each ends a line by `;`. */
export function asPure(text: string): string {
  return text.replaceAll(
    /^((?:export )?const \w+ = )((?:z\.|[a-z]\w*\()[^]*?);\n(?=\n|\S|$(?![^]))/gm,
    "$1/* @__PURE__ */ (() => $2)();\n",
  );
}

/** The table of errors without their titles. */
export function withoutTitles(text: string): string {
  return text.replaceAll(/,\s*title:\s*"[^"]*"/g, "");
}
