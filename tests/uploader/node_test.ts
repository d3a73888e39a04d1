/** The library on Node: 22 from npm where it can be had, and whatever `node` is on this machine. */
import { strict as assert } from "node:assert";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { startHttpService } from "./support/http_service.ts";
import { withFolder } from "./support/setup.ts";

async function commandWorks(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stderr: "null", stdout: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

const nodes: { name: string; command: string; args: string[] }[] = [
  { name: "this machine's node", command: "node", args: [] },
  { name: "node 22", command: "npx", args: ["-y", "node@22"] },
];

for (const { name, command, args } of nodes) {
  Deno.test({
    name: `the bundled library saves, sends and de-duplicates on ${name}`,
    sanitizeOps: false, // esbuild's child
    sanitizeResources: false,
    fn: async () => {
      if (!await commandWorks(command, [...args, "--version"])) {
        console.log(`skipped: ${command} ${args.join(" ")} can't be run here`);
        return;
      }
      await withFolder(async (folder) => {
        const shared = new URL("../../shared/uploader/", import.meta.url);
        const path = (file: string) => JSON.stringify(fileURLToPath(new URL(file, shared)));
        await mkdir(`${folder}/app`);
        await writeFile(
          `${folder}/app/entry.ts`,
          `export { createUploader } from ${path("uploader.ts")};
           export { diskMedium } from ${path("pending/media/disk_medium.ts")};
           export { tokenSession } from ${path("session/session.ts")};`,
        );
        await esbuild.build({
          entryPoints: [`${folder}/app/entry.ts`],
          outfile: `${folder}/app/uploader.mjs`,
          bundle: true,
          format: "esm",
          platform: "node",
          nodePaths: [fileURLToPath(new URL("../../node_modules", import.meta.url))],
          logLevel: "error",
        });
        await esbuild.stop();
        const check = fileURLToPath(new URL("./support/node_check.mjs", import.meta.url));
        await copyFile(check, `${folder}/app/check.mjs`);
        const http = await startHttpService();
        try {
          const run = await new Deno.Command(command, {
            args: [...args, `${folder}/app/check.mjs`, http.service.url, `${folder}/pending`],
            stderr: "inherit",
          }).output();
          assert.ok(run.success);
          const seen = JSON.parse(new TextDecoder().decode(run.stdout).trim().split("\n").at(-1)!);
          assert.deepEqual(seen.statuses, ["stored", "stored", "stored", "pending", "pending"]);
          assert.deepEqual([seen.stored, seen.left, http.service.stored.size], [1, 0, 4]);
        } finally {
          await http.stop();
        }
      });
    },
  });
}
