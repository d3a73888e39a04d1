/**
 * The console session of the uploader's README, run against the embedded stack: what it shows is what happens.
 * `UPDATE_DOCS=1 deno test -A tests/uploader/console_session_test.ts` writes it anew.
 */
import { strict as assert } from "node:assert";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { quietPort } from "../support/quiet_port.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { shell } from "./support/cli.ts";
import { withFolder } from "./support/setup.ts";

const readme = fileURLToPath(new URL("../../shared/uploader/README.md", import.meta.url));
const block = /(```console\n)([^]*?)(```)/;

/** Numbers, sizes, times and ids differ from run to run; words and their order do not. */
function plain(session: string): string {
  return session
    .replaceAll(/\b[0-9a-f]{8}(?= {2})/g, "ID")
    .replaceAll(/[\d.]+ (B|KB|MB|s|ms)\b/g, "N")
    .replaceAll(/\b\d+\b/g, "N")
    .replaceAll(/[ \t]+/g, " ");
}

Deno.test({
  name: "the README's console session is what a run gives",
  // The stack's drivers and the CLI's children end with it.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const text = await readFile(readme, "utf8");
    const [, , shown] = block.exec(text) ?? [];
    assert.ok(shown, "there is no console session");
    const commands = shown.split("\n").filter((line) => line.startsWith("$ "));
    await withFolder(async (folder) => {
      const stateDir = join(folder, "state");
      let stack: Stack | null = await startStack({
        stateDir,
        port: quietPort(),
        tickSeconds: 0.5,
      });
      const { url, port, publishableKey } = stack;
      try {
        let rows = 0;
        for (const [t, table] of ["battles", "items", "quests"].entries()) {
          for (let i = t; i < 50; i += 3) {
            const path = join(folder, "exports", table, "2024-11-25", `${i}.parquet`);
            await mkdir(dirname(path), { recursive: true });
            await writeFile(path, tinyParquet(Array.from({ length: 1500 }, () => rows++)));
          }
        }
        const env = { SEDIMENT_DATA: join(folder, "data"), SEDIMENT_PASSWORD: "a-long-password" };
        const session: string[] = [];
        for (const line of commands) {
          session.push(line);
          if (line.includes("plug is pulled")) {
            await stack?.stop();
            stack = null;
          } else if (line.includes("deno task start")) {
            stack = await startStack({ stateDir, port, tickSeconds: 0.5 });
          } else {
            const real = line.slice(2).replaceAll("http://127.0.0.1:54321", url)
              .replaceAll("sb_publishable_…", publishableKey);
            const { out } = await shell(folder, `{ ${real.split("  #")[0]}\n} 2>&1`, env);
            // Lines of single files are for files and pipes; a terminal shows a bar in their place.
            const seen = out.split("\n").filter((said) =>
              !/^(stored|was there|pending) +exports\//.test(said) &&
              !/^(push|retry|compact) \d+\/\d+/.test(said)
            );
            session.push(...seen.filter((said) => said !== ""));
          }
        }
        const ran = session.map((line) => line.replaceAll(url, "http://127.0.0.1:54321"))
          .join("\n") + "\n";
        if (Deno.env.get("UPDATE_DOCS")) {
          await writeFile(readme, text.replace(block, (_, head, __, end) => head + ran + end));
        } else assert.equal(plain(shown), plain(ran));
      } finally {
        await stack?.stop();
      }
    });
  },
});
