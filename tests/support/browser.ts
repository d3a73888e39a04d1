/** Debian's Chromium for tests of pages; where there is none they are skipped, with a line that says so. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

const executablePath = [
  Deno.env.get("CHROMIUM_BIN"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path && existsSync(path));

/** Whether there is none. @param test its file, for the line */
export function noBrowser(test: string): boolean {
  if (executablePath) return false;
  console.log(`skipped: ${test} needs Chromium (apt-get install chromium, or CHROMIUM_BIN)`);
  return true;
}

/** A browser without a window. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath, args: ["--no-sandbox"] });

/** A page that tells of whatever goes wrong in it. */
export async function openPage(browser: Browser, options: Parameters<Browser["newPage"]>[0] = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(120_000);
  const wrong: string[] = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (line) => {
    if (line.type() === "error") wrong.push(`${line.text()} ${line.location().url}`);
  });
  return { page, wrong };
}

/** Takes a picture of the whole page into SEDIMENT_SCREENSHOTS, where that is set. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = Deno.env.get("SEDIMENT_SCREENSHOTS");
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
}

const axe = fileURLToPath(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url));

/** What axe finds against WCAG 2.2 AA, a line each. */
export async function axeFindings(page: Page): Promise<string[]> {
  await page.evaluate(await Deno.readTextFile(axe));
  return await page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any -- what axe puts there
    const { violations } = await (globalThis as any).axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    return violations.map((
      one: { id: string; nodes: { html: string; failureSummary: string }[] },
    ) =>
      `${one.id}: ${
        one.nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")
      }`
    );
  });
}

/** What stands out of the page to the right, but for what scrolls by itself. */
export async function tooWide(page: Page): Promise<string[]> {
  return await page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((element) =>
        element.getBoundingClientRect().right > innerWidth + 1 &&
        !element.closest("nav, .cards thead, .skip, .scroll > *")
      )
      .map((element) => element.outerHTML.slice(0, 120))
  );
}
