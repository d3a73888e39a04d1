/** Files by other writers, beside the checkout; absent on most machines. */
const folder = new URL("../../../shared/fixtures/parquet/", import.meta.url);

/** Whether the folder is there; says so once when it isn't. */
export const hasFixtures = (() => {
  try {
    return Deno.statSync(folder).isDirectory;
  } catch {
    // Not to stdout, where a script that runAlone starts answers.
    console.error("skipped: ../shared/fixtures/parquet is not beside the checkout");
    return false;
  }
})();

/** Names of the Parquet fixtures in order; none where the folder is absent. */
export function fixtureNames(): string[] {
  if (!hasFixtures) return [];
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((name) =>
    name.endsWith(".parquet")
  ).sort();
}

/** The path of a fixture. */
export function fixturePath(name: string): string {
  return decodeURIComponent(new URL(name, folder).pathname);
}

/** The bytes of a fixture. */
export function fixtureBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, folder));
}
