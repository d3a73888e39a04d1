import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { pagePath, pages } from "../../docs/pages/write.ts";
import { neededSchema } from "../../shared/catalog/require_schema.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("the generated pages are what the code gives", async () => {
  for (const [name, page] of Object.entries(pages)) {
    const found = await Deno.readTextFile(pagePath(name));
    assert.equal(found, await page(), `docs/${name} is old: deno task docs`);
  }
});

Deno.test("the changes of the newest version name the schema that the code needs", async () => {
  const text = await Deno.readTextFile(join(root, "CHANGELOG.md"));
  const [, version, schema] = /^## ([\d.]+)[^]*?\bSchema (\d+)\./m.exec(text) ?? [];
  const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  assert.deepEqual([version, Number(schema)], [config.version, neededSchema]);
});

/** Pages that are named before they are written. */
const announced: string[] = [];

/** Every Markdown file of the repository, by its path from the root. */
async function* markdownFiles(folder = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    if (["node_modules", ".git", "dist"].includes(name) || name.startsWith(".state")) continue;
    const path = join(folder, name);
    if (isDirectory) yield* markdownFiles(path);
    else if (name.endsWith(".md")) yield path;
  }
}

/** A heading as GitHub names it in links. */
function anchorOf(heading: string): string {
  return heading.replace(/`|\[([^\]]*)\]\([^)]*\)/g, "$1").trim().toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
}

Deno.test("each link of a page leads to a file that is there, and to a heading of it", async () => {
  const broken: string[] = [];
  for await (const path of markdownFiles()) {
    const text = (await Deno.readTextFile(join(root, path))).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, anchor] = target!.split("#") as [string, string | undefined];
      const place = file === "" ? path : normalize(join(dirname(path), file));
      if (!existsSync(join(root, place)) && announced.includes(place)) continue;
      if (!existsSync(join(root, place))) broken.push(`${path}: ${target}`);
      else if (anchor !== undefined && place.endsWith(".md")) {
        const page = await Deno.readTextFile(join(root, place));
        const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));
        if (!headings.includes(anchor)) broken.push(`${path}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

/** A file or folder of the repository, as pages name it; those that stand for several have a word in capitals. */
const namedPath =
  /`((?:\.ci|\.github|docs|examples|functions|packages|shared|supabase|tests)\/[a-zA-Z0-9_./-]*)`/g;

Deno.test("each file and task that a page names is there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const missing: string[] = [];
  let looked = 0;
  for await (const page of markdownFiles()) {
    const text = await Deno.readTextFile(join(root, page));
    for (const [, path] of text.matchAll(namedPath)) {
      looked++;
      if (!/NAME|FOLDER/.test(path!) && !existsSync(join(root, path!))) {
        missing.push(`${page}: ${path}`);
      }
    }
    for (const [, task] of text.matchAll(/(?:deno(?:@[\d.]+)? |`)task ([a-z][a-z:]*)/g)) {
      if (!(task! in tasks)) missing.push(`${page}: task ${task}`);
    }
  }
  assert.ok(looked > 100, "the paths were found");
  assert.deepEqual(missing, []);
});
