/** `deno task docs`: writes the pages that are made of the code. */
import { errorsPage } from "./errors_page.ts";
import { settingsPage } from "./settings_page.ts";

/** The generated pages, by their name in docs/. */
export const pages: Record<string, () => Promise<string>> = {
  "errors.md": errorsPage,
  "settings.md": settingsPage,
};

/** Where a page is. */
export function pagePath(name: string): URL {
  return new URL(`../${name}`, import.meta.url);
}

if (import.meta.main) {
  for (const [name, page] of Object.entries(pages)) {
    await Deno.writeTextFile(pagePath(name), await page());
  }
}
