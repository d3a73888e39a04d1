/** The packages as their users have them: packed, installed into an empty project, and run by each runtime. */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import { cliLimit } from "../../packages/build.ts";
import { asPure, uniqBy, withoutTitles } from "../../packages/slim.ts";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { version } from "../../shared/uploader/version.ts";
import { signUp, type TestUser } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { documented, type Project, run, withProject } from "./support/project.ts";

const executablePath = [
  Deno.env.get("CHROMIUM_BIN"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path && existsSync(path));

/** Most bytes of the uploader with its medium, gzipped, in a browser's bundle. */
const browserLimit = 30_000;
const rows = [3, 1, 4, 1, 5];

/** `my_project.js` of docs/client.md. @returns the dataset */
async function myProject(project: Project, stack: Stack, user: TestUser): Promise<string> {
  const dataset = crypto.randomUUID();
  const bytes = `Uint8Array.from(${JSON.stringify([...tinyParquet(rows)])})`;
  await project.write(
    "my_project.js",
    `export const url = ${JSON.stringify(stack.url)}, key = ${JSON.stringify(stack.publishableKey)},
  token = ${JSON.stringify(user.token)}, dataset = ${JSON.stringify(dataset)}, bytes = ${bytes};\n`,
  );
  return dataset;
}

/** Rows that a dataset has. */
async function rowsOf(stack: Stack, user: TestUser, dataset: string): Promise<number> {
  const url = `${stack.url}/functions/v1/battle-data/chunks?dataset_id=${dataset}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${user.token}` } });
  const { files } = await answer.json();
  return files.reduce((sum: number, file: { row_count: number }) => sum + file.row_count, 0);
}

/** The ten lines, and what shows that the rows that were read are those that were uploaded. */
const tenLines = async () =>
  await documented("Ten lines") +
  "\nconsole.log(String(table.toArray().map((row) => Number(Object.values(row.toJSON())[0]))));\n";
const shown = ["stored", String(rows.length), String(rows)];

/** Ways to Node; those that can't be had are skipped. */
const nodes = [["node@22", 22], ["node@24", 24]] as const;

Deno.test("what the bundler is told of our modules is true of them", () => {
  const schemas =
    `export const a = z.string().check(z.regex(/x;/, "y"));\nexport const b = f(\n  z.int(),\n);\n\nexport const c = 3;\n`;
  assert.equal(
    asPure(schemas),
    `export const a = /* @__PURE__ */ (() => z.string().check(z.regex(/x;/, "y")))();\n` +
      `export const b = /* @__PURE__ */ (() => f(\n  z.int(),\n))();\n\nexport const c = 3;\n`,
  );
  assert.equal(withoutTitles('a: { status: 400, title: "b c" },'), "a: { status: 400 },");
  assert.deepEqual(uniqBy([1, 4, 2, 3], (n) => n % 3), [1, 2, 3]);
});

Deno.test({
  name: "packed and installed, the client and the command line work on Node, Deno and Chromium",
  // The stack's drivers, esbuild's child and playwright's pipes outlive the test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
    await withProject(async (project) => {
      const stack = await startStack({ cron: false });
      try {
        const user = await signUp(stack);
        await project.write("ten_lines.mjs", await tenLines());
        await project.write("ten.mjs", await tenLines() + "await uploader.stop();\n");
        for (const [name, major] of nodes) {
          await t.step(`the ten lines of the docs store their rows on ${name}`, async () => {
            const node = ["-y", name];
            const probe = await project.run("npx", [...node, "--version"]);
            if (!probe.out.startsWith(`v${major}.`)) {
              return console.log(`skipped: npx ${name} can't be run here`);
            }
            const dataset = await myProject(project, stack, user);
            const ran = await project.run("npx", [...node, "ten.mjs"]);
            assert.deepEqual(ran.out.trim().split("\n"), shown, ran.err);
            assert.equal(await rowsOf(stack, user, dataset), rows.length);
          });
        }
        await t.step("and on Deno", async () => {
          const dataset = await myProject(project, stack, user);
          const args = ["run", "-A", "--quiet", "--node-modules-dir=manual", "ten.mjs"];
          const ran = await project.run(Deno.execPath(), args);
          assert.deepEqual(ran.out.trim().split("\n"), shown, ran.err);
          assert.equal(await rowsOf(stack, user, dataset), rows.length);
        });
        await t.step("a browser's bundle is small, and free of Node", async () => {
          const own = ["uploader", "medium"].map((name) =>
            `export * from "sediment-client/${name}";`
          );
          await project.write("uploader_alone.mjs", own.join("\n"));
          const code = await bundled(project, "uploader_alone.mjs");
          const size = gzipSync(code, { level: 9 }).length;
          console.log(`the uploader in a browser's bundle: ${size} bytes gzipped`);
          assert.ok(size <= browserLimit, `${size} bytes gzipped, of at most ${browserLimit}`);
          assert.ok(!/node:/.test(code), "the bundle asks for Node's modules");
        });
        await t.step("the ten lines run in Chromium, on a page of another origin", async () => {
          if (!executablePath) return console.log("skipped: there is no Chromium");
          const dataset = await myProject(project, stack, user);
          await inChromium(await bundled(project, "ten_lines.mjs"), async ({ page, log }) => {
            await page.waitForEvent("console", { predicate: () => log.length >= shown.length })
              .catch(() => {});
            assert.deepEqual(log, shown);
          });
          assert.equal(await rowsOf(stack, user, dataset), rows.length);
        });
        await t.step(
          "the types pass strict projects of both module resolutions",
          () => typeChecks(project),
        );
        await t.step(
          "the command line is one file that Node runs, and the console's page beside it",
          () => commandLine(project, stack, user),
        );
      } finally {
        await esbuild.stop();
        await stack.stop();
      }
    });
  },
});

async function bundled(project: Project, entry: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(project.folder, entry)],
    absWorkingDir: project.folder,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    write: false,
    logLevel: "error",
  });
  return outputFiles[0].text;
}

/** Runs a module on a page of an origin of its own. */
async function inChromium(
  code: string,
  test: (parts: { page: import("playwright-core").Page; log: string[] }) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    ({ url }) =>
      url.endsWith("/app.js")
        ? new Response(code, { headers: { "content-type": "text/javascript" } })
        : new Response('<!doctype html><script type="module" src="/app.js"></script>', {
          headers: { "content-type": "text/html" },
        }),
  );
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox"],
    timeout: 180_000,
  });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(180_000);
    const log: string[] = [];
    page.on("console", (message) => log.push(message.text()));
    page.on("pageerror", (error) => log.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    await test({ page, log });
  } finally {
    await browser.close();
    await server.shutdown();
  }
}

async function typeChecks(project: Project): Promise<void> {
  await project.write(
    "typed.ts",
    `import { createUploader, tokenSession, type UploadOutcome } from "sediment-client/uploader";
import { openMedium } from "sediment-client/medium";
import { sendResumably } from "sediment-client/resumable";
import { openDataset, type Where } from "sediment-client/reader";
import { integrate } from "sediment-client/integrate";
import { loadSettings } from "sediment-client/settings";
import { serviceSession } from "sediment-client/service";
const medium = await openMedium("p");
const session = Math.random() > 0.5 ? tokenSession("t") : serviceSession("k", "u");
const uploader = await createUploader({
  url: "https://x.supabase.co/functions/v1", session, medium, resumable: sendResumably,
  settings: loadSettings({ toml: "" }),
});
const outcome: UploadOutcome = await uploader.upload(new Uint8Array(3), { kind: "fragment", dataset_id: "x", table: "t" });
const [item] = await uploader.pending();
const state: "waiting" | "sending" | "parked" | "dead" | "expired" = item!.state;
integrate(() => outcome.status + state, { cron: "0 * * * *", medium });
const where: Where = { column: "id", op: ">", value: 3n };
for await (const batch of (await openDataset({ url: "u", session, datasetId: "d" })).scan({ table: "t", where })) {
  const rows: number = batch.numRows;
  console.log(rows);
}
// @ts-expect-error there is no such kind
await uploader.upload(new Uint8Array(3), { kind: "fragmant", dataset_id: "x", table: "t" });
`,
  );
  const tsc = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));
  const strict = { strict: true, noEmit: true, types: [], target: "es2022" };
  const dom = ["es2022", "dom", "dom.iterable"];
  const configs = {
    strictest: {
      ...strict,
      module: "nodenext",
      moduleResolution: "nodenext",
      lib: dom,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
    },
    // As create-next-app writes it.
    next: {
      ...strict,
      lib: ["dom", "dom.iterable", "esnext"],
      module: "esnext",
      moduleResolution: "bundler",
      allowJs: true,
      skipLibCheck: true,
      isolatedModules: true,
      resolveJsonModule: true,
      jsx: "preserve",
      incremental: true,
    },
  };
  for (const [name, compilerOptions] of Object.entries(configs)) {
    await project.write(
      `tsconfig.${name}.json`,
      JSON.stringify({ compilerOptions, files: ["typed.ts"] }),
    );
    const ran = await project.run("node", [tsc, "-p", `tsconfig.${name}.json`]);
    assert.deepEqual([ran.code, ran.out], [0, ""], name);
  }
}

async function commandLine(project: Project, stack: Stack, user: TestUser): Promise<void> {
  const bin = join(project.folder, "node_modules/.bin/sediment");
  const installed = join(project.folder, "node_modules/sediment-cli");
  const code = (await readdir(installed)).filter((name) => /\.[mc]?js$/.test(name));
  assert.deepEqual(code.sort(), ["console.mjs", "sediment.mjs"]);
  const { size } = await stat(join(installed, "sediment.mjs"));
  console.log(`the command line is one file of ${size} bytes`);
  assert.ok(size <= cliLimit);
  const env = {
    SEDIMENT_URL: stack.url,
    SEDIMENT_KEY: stack.publishableKey,
    SEDIMENT_TOKEN: user.token,
    SEDIMENT_DATA: join(project.folder, "data"),
    SEDIMENT_SESSION: join(project.folder, "session.json"),
  };
  // By the Node that npx brings: the one of this machine may be older than what the package asks for.
  const sediment = (...args: string[]) =>
    run("npx", ["-y", "node@22", bin, ...args], project.folder, env);
  const answer = await sediment("--version");
  if (answer.code !== 0) return console.log("skipped: npx node@22 can't be run here");
  assert.equal(answer.out.trim(), `sediment ${version}`);
  await consoleOpens(bin, project.folder, stack);
  await writeFile(join(project.folder, "a.parquet"), tinyParquet(rows));
  const dataset = crypto.randomUUID();
  const pushed = await sediment("push", "a.parquet", "--dataset", dataset, "--table", "t");
  assert.equal(pushed.code, 0, pushed.err);
  const pulled = await sediment("pull", "--dataset", dataset, "--out", "pulled");
  assert.equal(pulled.code, 0, pulled.err);
  assert.equal(await rowsOf(stack, user, dataset), rows.length);
  const asked = async (...words: string[]) => {
    const ran = await sediment(...words, "--dataset", dataset, "--json");
    assert.equal(ran.code, 0, ran.err);
    return ran.out.trim().split("\n").map((line) => JSON.parse(line));
  };
  assert.deepEqual((await asked("tables")).map(({ table, rows }) => [table, rows]), [["t", 5]]);
  const [column] = await asked("schema", "t");
  assert.match(column.type, /Int/);
  const first = await asked("head", "t", "--rows", "3");
  assert.deepEqual(first.map((row) => row[column.name]), rows.slice(0, 3));
}

/** The installed command serves the console's page. */
async function consoleOpens(bin: string, folder: string, stack: Stack): Promise<void> {
  const child = new Deno.Command("npx", {
    args: ["-y", "node@22", bin, "console", "--json"],
    cwd: folder,
    env: { SEDIMENT_URL: stack.url, SEDIMENT_SERVICE_KEY: stack.secretKey },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const { url } = JSON.parse(value!);
  const { origin, hash } = new URL(url);
  const page = await fetch(url);
  assert.match(await page.text(), /<div id="root">/);
  const opened = await fetch(`${origin}/console/open`, {
    method: "POST",
    headers: { origin },
    body: JSON.stringify({ token: hash.replace("#token=", "") }),
  });
  const [cookie] = opened.headers.get("set-cookie")!.split(";");
  await opened.body?.cancel();
  const answer = await fetch(`${origin}/functions/v1/compaction/overview`, { headers: { cookie } });
  assert.equal((await answer.json()).scope, "deployment");
  child.kill("SIGTERM");
  await reader.cancel();
  await child.status;
}
