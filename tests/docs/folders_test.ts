/** The arrows that imports draw between files and folders; docs/architecture.md says where they point. */
import { deepEqual, ok } from "node:assert/strict";
import { dirname, normalize, relative } from "node:path";

const root = new URL("../../", import.meta.url).pathname;

/** Folders whose files import each other by relative paths. */
const trees = ["functions", "shared", "supabase", "packages"];

/** Static imports and exports by a relative path; what import() loads later closes no circle of modules. */
const statement = /^(?:import|export)\s(?:[^"';=]*?\sfrom\s)?\s*"(\.\.?\/[^"]+)"/gm;

/** Files → the files that they import. */
async function readImports(): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  async function look(folder: string): Promise<void> {
    for await (const entry of Deno.readDir(root + folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await look(path);
      if (!entry.isFile || !/\.tsx?$/.test(path)) continue;
      const text = await Deno.readTextFile(root + path);
      // AssemblyScript names its files without their ending
      const imports = [...text.matchAll(statement)].map(([, to]) =>
        normalize(`${dirname(path)}/${/\.\w+$/.test(to!) ? to : `${to}.ts`}`)
      );
      found.set(path, imports);
    }
  }
  for (const tree of trees) await look(tree);
  return found;
}

/** The circles of a graph, each as the nodes that reach one another. */
function circles(graph: Map<string, Iterable<string>>): string[][] {
  const reached = new Map([...graph.keys()].map((from) => {
    const seen = new Set<string>();
    const next = [...graph.get(from)!];
    for (let to = next.pop(); to !== undefined; to = next.pop()) {
      if (seen.has(to)) continue;
      seen.add(to);
      next.push(...graph.get(to) ?? []);
    }
    return [from, seen] as const;
  }));
  const found = new Map<string, string[]>();
  for (const [from, seen] of reached) {
    if (!seen.has(from)) continue;
    const circle = [...seen].filter((to) => reached.get(to)?.has(from)).toSorted();
    found.set(circle.join(), circle);
  }
  return [...found.values()];
}

const imports = await readImports();

/** A folder holds its own: what a folder and those inside of it import of each other is no arrow. */
const isInside = (folder: string, other: string) =>
  folder === other || !relative(other, folder).startsWith("..") ||
  !relative(folder, other).startsWith("..");

Deno.test("no file imports itself by way of others", () => {
  ok(imports.size > 400, "the files were found");
  deepEqual(circles(imports), []);
});

Deno.test("no two folders that lie beside each other import each other, directly or by way of others", () => {
  const folders = new Map<string, Set<string>>();
  for (const [file, targets] of imports) {
    const from = dirname(file);
    const to = targets.map(dirname).filter((folder) => !isInside(from, folder));
    folders.set(from, new Set([...folders.get(from) ?? [], ...to]));
  }
  deepEqual(circles(folders), []);
});

/** Layers, the lowest first: a file may import from its own and from those before it. */
const parquetLayers = [
  "format/thrift",
  "format",
  "key_values",
  "kernels/assembly",
  "kernels",
  "inspect",
  "write",
  "merge/copy",
  "merge/union",
  "merge/decode",
  "merge/pages",
  "merge",
];

Deno.test("no file of shared/parquet imports from a folder above its own", () => {
  const layer = (file: string) => parquetLayers.indexOf(dirname(relative("shared/parquet", file)));
  const upward: string[] = [];
  for (const [file, targets] of imports) {
    if (!file.startsWith("shared/parquet/")) continue;
    ok(layer(file) >= 0, `${file} lies in a folder that the layers don't name`);
    for (const to of targets.filter((target) => target.startsWith("shared/parquet/"))) {
      if (layer(to) > layer(file)) upward.push(`${file} → ${to}`);
    }
  }
  deepEqual(upward, []);
});

Deno.test("shared/ imports nothing from functions/, and shared/parquet/ nothing of Supabase", () => {
  const wrong: string[] = [];
  for (const [file, targets] of imports) {
    const inShared = file.startsWith("shared/");
    const inParquet = file.startsWith("shared/parquet/");
    for (const to of targets) {
      const refused = inShared && (to.startsWith("functions/") || to.startsWith("supabase/")) ||
        inParquet && /^shared\/(catalog|storage|http|uploads|uploader|compaction)\//.test(to);
      if (refused) wrong.push(`${file} → ${to}`);
    }
  }
  deepEqual(wrong, []);
});
