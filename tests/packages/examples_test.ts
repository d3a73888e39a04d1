/** The examples, each run against the embedded stack with the packed client. */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { eventually } from "../support/eventually.ts";
import { signUp, type TestUser } from "../support/stack.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { type Project, withProject } from "./support/project.ts";

const executablePath = [
  Deno.env.get("CHROMIUM_BIN"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path && existsSync(path));

async function rowsOf(stack: Stack, user: TestUser, dataset: string): Promise<number> {
  const url = `${stack.url}/functions/v1/battle-data/chunks?dataset_id=${dataset}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${user.token}` } });
  if (answer.status === 404) return 0;
  const { files } = await answer.json();
  return files.reduce((sum: number, file: { row_count: number }) => sum + file.row_count, 0);
}

interface Parts {
  project: Project;
  stack: Stack;
  user: TestUser;
}

Deno.test({
  name: "the examples run: a Node service, a page, an app without a network, a plot",
  // The stack's drivers, esbuild's child and playwright's pipes outlive the test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
    await withProject(async (project) => {
      const stack = await startStack({ cron: false });
      const user = await signUp(stack);
      const parts = { project, stack, user };
      let browser: Browser | undefined;
      try {
        const examples = fileURLToPath(new URL("../../examples", import.meta.url));
        await cp(examples, join(project.folder, "examples"), { recursive: true });
        await t.step("a service and a plot", () => serviceAndPlot(parts));
        if (!executablePath) return console.log("skipped: there is no Chromium for the pages");
        browser = await chromium.launch({
          executablePath,
          args: ["--no-sandbox"],
          timeout: 180_000,
        });
        await t.step("a page with a bar that moves", () => page(parts, browser!));
        await t.step("an app from a file that is offline for a while", () => app(parts, browser!));
      } finally {
        await browser?.close();
        await esbuild.stop();
        await stack.stop();
      }
    });
  },
});

async function serviceAndPlot({ project, stack, user }: Parts): Promise<void> {
  const dataset = crypto.randomUUID();
  const env = {
    SEDIMENT_URL: stack.url,
    SEDIMENT_KEY: stack.publishableKey,
    SEDIMENT_TOKEN: user.token,
    SEDIMENT_DATASET: dataset,
  };
  const node = ["-y", "node@22"];
  if ((await project.run("npx", [...node, "--version"])).code !== 0) {
    return console.log("skipped: npx node@22 can't be run here");
  }
  // As a process group of its own, so that npx passes the signal on to nobody else.
  const service = new Deno.Command("npx", {
    args: [...node, "examples/node_service/service.mjs"],
    cwd: project.folder,
    env,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = service.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const port = Number((await lines.read()).value);
  try {
    const post = async (body: Uint8Array<ArrayBuffer>) =>
      await (await fetch(`http://127.0.0.1:${port}/battles/7`, { method: "POST", body })).json();
    assert.equal((await post(tinyParquet([1, 2, 2]))).status, "stored");
    assert.equal((await post(new Uint8Array(10))).status, "dead");
    assert.deepEqual(await (await fetch(`http://127.0.0.1:${port}/`)).json(), { pending: 0 });
  } finally {
    service.kill("SIGTERM");
    await lines.cancel();
    await service.status;
  }
  const plotted = await project.run(
    "npx",
    [...node, "examples/plot/plot.mjs", "battles", "n"],
    env,
  );
  assert.equal(plotted.code, 0, plotted.err);
  assert.match(plotted.out, /<title>2: 2<\/title>/);
  assert.equal(plotted.out.match(/<rect/g)?.length, 2);
}

/** Bundles a page's script beside it. @returns the page's folder */
async function bundlePage(project: Project, folder: string, entry: string, format: "esm" | "iife") {
  const path = join(project.folder, "examples", folder);
  await esbuild.build({
    entryPoints: [join(path, `${entry}.js`)],
    outfile: join(path, `${entry}.bundle.js`),
    bundle: true,
    format,
    platform: "browser",
    target: "es2022",
    logLevel: "error",
  });
  return path;
}

function hashOf({ stack, user }: Parts, dataset: string): string {
  const { url, publishableKey: key } = stack;
  return `#${new URLSearchParams({ url, key, token: user.token, dataset })}`;
}

async function page(parts: Parts, browser: Browser): Promise<void> {
  const path = await bundlePage(parts.project, "browser_page", "page", "esm");
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async ({ url }) => {
    const name = new URL(url).pathname === "/" ? "index.html" : "page.bundle.js";
    const type = name.endsWith("html") ? "text/html" : "text/javascript";
    return new Response(await Deno.readFile(join(path, name)), {
      headers: { "content-type": type },
    });
  });
  const dataset = crypto.randomUUID();
  const context = await browser.newContext();
  context.setDefaultTimeout(180_000);
  try {
    const tab = await context.newPage();
    await tab.goto(`http://127.0.0.1:${server.addr.port}/${hashOf(parts, dataset)}`);
    const numbers = Array.from({ length: 1_000_000 }, (_, i) => Math.imul(i, 2654435761) | 0);
    const file = join(parts.project.folder, "part.parquet");
    await writeFile(file, tinyParquet(numbers));
    // A slow line: on this machine's own the whole file would have left before the first look.
    const line = await context.newCDPSession(tab);
    await line.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: 2_000_000,
    });
    await tab.evaluate(() => {
      const bar = document.getElementById("bar") as HTMLProgressElement;
      const seen = (globalThis as unknown as { seen: number[] }).seen = [];
      new MutationObserver(() => (seen as number[]).push(bar.value))
        .observe(bar, { attributes: true });
    });
    await tab.setInputFiles("#file", file);
    await tab.getByText("part.parquet: stored").waitFor();
    const seen = await tab.evaluate(() => (globalThis as unknown as { seen: number[] }).seen);
    assert.ok(new Set(seen).size > 2, `the bar showed ${seen}`);
    assert.equal(seen.at(-1), 1);
    assert.equal(await rowsOf(parts.stack, parts.user, dataset), numbers.length);
  } finally {
    await context.close();
    await server.shutdown();
  }
}

async function app(parts: Parts, browser: Browser): Promise<void> {
  const path = await bundlePage(parts.project, "offline_app", "app", "iife");
  const dataset = crypto.randomUUID();
  const context = await browser.newContext();
  context.setDefaultTimeout(180_000);
  try {
    const tab = await context.newPage();
    await tab.goto(`${pathToFileURL(join(path, "index.html"))}${hashOf(parts, dataset)}`);
    await eventually("the app", async () => await tab.title() === "ready");
    await context.setOffline(true);
    for (let i = 0; i < 3; i++) {
      await tab.click("#save");
      await eventually(
        "a kept score",
        async () => Number(await tab.textContent("#pending")) === i + 1,
      );
    }
    assert.equal(await rowsOf(parts.stack, parts.user, dataset), 0);
    await context.setOffline(false);
    await eventually("three stored scores", async () => await tab.textContent("#stored") === "3");
    assert.equal(await rowsOf(parts.stack, parts.user, dataset), 3);
  } finally {
    await context.close();
  }
}
