/**
 * The IndexedDB medium in a real Chromium. Skipped, with a line that says so, where there is none
 * (`apt-get install chromium`, or CHROMIUM_BIN).
 */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import type { BrowserUploads } from "./support/browser_page.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpService } from "./support/http_service.ts";
import { fragment } from "./support/setup.ts";

const executablePath = [
  Deno.env.get("CHROMIUM_BIN"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
]
  .find((path) => path && existsSync(path));
if (!executablePath) {
  console.log("skipped: tests/uploader/browser_test.ts needs Chromium (apt-get install chromium)");
}

type Uploads = BrowserUploads;
const inPage = <A, R>(page: Page, run: (uploads: Uploads, argument: A) => R, argument: A) =>
  page.evaluate(
    ({ code, argument }) =>
      new Function("uploads", "argument", `return (${code})(uploads, argument)`)(
        (globalThis as unknown as { uploads: unknown }).uploads,
        argument,
      ),
    { code: run.toString(), argument },
  ) as Promise<Awaited<R>>;

async function bundle(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [fileURLToPath(new URL("./support/browser_page.ts", import.meta.url))],
    bundle: true,
    format: "iife",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  await esbuild.stop();
  return outputFiles[0].text;
}

/** A fresh profile with pages of the service's origin. */
async function withBrowser(
  test: (parts: {
    context: BrowserContext;
    openPage(): Promise<Page>;
    service: Awaited<ReturnType<typeof startHttpService>>["service"];
  }) => Promise<void>,
): Promise<void> {
  const script = await bundle();
  assert.ok(!script.includes("node:fs"), "the browser's bundle must not ask for node's modules");
  const http = await startHttpService();
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: 180_000 });
    const context = await browser.newContext();
    context.setDefaultTimeout(180_000);
    await context.route(
      `${http.service.origin}/page`,
      (route) =>
        route.fulfill({
          contentType: "text/html",
          body: `<!doctype html><script>${script.replaceAll("</script", "<\\/script")}</script>`,
        }),
    );
    const openPage = async () => {
      const page = await context.newPage();
      page.on("pageerror", (error) => console.error("page:", error));
      await page.goto(`${http.service.origin}/page`);
      return page;
    };
    await test({ context, openPage, service: http.service });
  } finally {
    await browser?.close();
    await http.stop();
  }
}

const options = {
  ignore: !executablePath,
  // Playwright's pipes and esbuild's child outlive a test by a moment.
  sanitizeOps: false,
  sanitizeResources: false,
};

Deno.test({
  ...options,
  name: "IndexedDB: bytes, blobs and streams are saved once, among all tabs, and survive a reload",
  fn: async () => {
    await withBrowser(async ({ openPage }) => {
      const [one, two] = [await openPage(), await openPage()];
      await inPage(one, (u) => u.open(), null);
      await inPage(two, (u) => u.open(), null);
      const save = (page: Page, how: string) =>
        inPage(page, (u, [meta, how]) => u.save(meta as never, 3_000_000, 7, how as never), [
          fragment(),
          how,
        ]);
      const saved = await Promise.all([
        save(one, "stream"),
        save(two, "blob"),
        save(one, "bytes"),
        save(two, "bytes"),
      ]);
      assert.equal(saved.filter(({ status }) => status === "saved").length, 1);
      const hash = createHash("sha256").update(new Uint8Array(3_000_000).fill(7)).digest("hex");
      for (const { hash: ours, size } of saved) assert.deepEqual([ours, size], [hash, 3_000_000]);
      await one.reload();
      await inPage(one, (u) => u.open(), null);
      const items = await inPage(one, (u) => u.list(), null);
      assert.equal(items.length, 1);
      assert.deepEqual(await inPage(one, (u, id) => u.bytes(id), items[0].id), [7, 7, 7, 7, 7]);
    });
  },
});

Deno.test({
  ...options,
  name: "IndexedDB: one of two tabs gets a claim, and the claim of a tab that was closed is lost",
  fn: async () => {
    await withBrowser(async ({ openPage }) => {
      const [one, two] = [await openPage(), await openPage()];
      await inPage(one, (u) => u.open(), null);
      await inPage(two, (u) => u.open(), null);
      const { id } = await inPage(one, (u, m) => u.save(m as never, 100, 1, "bytes"), fragment());
      const claims = await Promise.all(
        [one, two, one, two].map((page) => inPage(page, (u, id) => u.claim(id), id)),
      );
      const winner = claims.findIndex(Boolean);
      assert.equal(claims.filter(Boolean).length, 1);
      const [holder, other] = winner % 2 === 0 ? [one, two] : [two, one];
      assert.equal((await inPage(other, (u) => u.list(), null))[0].state, "sending");
      await holder.close();
      const item = await eventually("the claim is given up", async () => {
        const [item] = await inPage(other, (u) => u.list(), null);
        return item.state !== "sending" && item;
      });
      assert.deepEqual([item.state, item.attempt_count], ["waiting", 1]);
    });
  },
});

Deno.test({
  ...options,
  name: "IndexedDB: torn records, missing and changed bytes end as on disk",
  fn: async () => {
    await withBrowser(async ({ openPage }) => {
      const page = await openPage();
      await inPage(page, (u) => u.open(), null);
      const ids: string[] = [];
      for (const seed of [1, 2, 3, 4]) {
        const saved = await inPage(
          page,
          (u, [m, seed]) => u.save(m as never, 100, seed as number, "bytes"),
          [fragment(), seed] as const,
        );
        ids.push(saved.id);
      }
      const [torn, bare, changed, orphan] = ids;
      const vandalise = (store: string, id: string, value?: unknown) =>
        inPage(page, (u, [s, id, v]) => u.vandalise(s as string, id as string, v), [
          store,
          id,
          value,
        ]);
      await vandalise("records", torn, { id: torn, text: '{"v":1,' });
      await vandalise("bytes", bare);
      await page.evaluate(async (id) => {
        const uploads = (globalThis as unknown as { uploads: BrowserUploads }).uploads;
        await uploads.vandalise("bytes", id, new Blob(["other bytes"]));
      }, changed);
      await vandalise("records", orphan);
      const items = await inPage(page, (u) => u.list(), null);
      const codes = new Map(items.map((item) => [item.id, item.last_error?.code]));
      assert.equal(codes.get(torn), "record_unreadable");
      assert.equal(codes.get(bare), "bytes_missing");
      assert.equal(codes.has(orphan), false);
      const thrown = await inPage(
        page,
        (u, id) => u.bytes(id).then(() => "none", (error) => error.code),
        changed,
      );
      assert.equal(thrown, "bytes_changed");
    });
  },
});

Deno.test({
  ...options,
  name: "in a browser, uploads made offline arrive once the network is back",
  fn: async () => {
    await withBrowser(async ({ openPage, context, service }) => {
      const page = await openPage();
      await inPage(page, (u) => u.startUploader(), null);
      await context.setOffline(true);
      for (const seed of [1, 2, 3]) {
        const outcome = await inPage(
          page,
          (u, [m, seed]) => u.upload(m as never, 5000, seed as number),
          [fragment(), seed] as const,
        );
        assert.equal(outcome.status, "pending");
      }
      const pending = await inPage(page, (u) => u.pending(), null);
      assert.deepEqual(pending.map((item) => item.attempt_count), [0, 0, 0]);
      assert.equal((await inPage(page, (u) => u.state(), null)).pause?.why, "offline");
      await context.setOffline(false);
      await eventually("3 are stored", () => service.stored.size >= 3);
      await eventually(
        "nothing is pending",
        async () => (await inPage(page, (u) => u.pending(), null)).length <= 0,
      );
      assert.deepEqual([...service.stored.values()].map((entry) => entry.puts), [1, 1, 1]);
    });
  },
});
