/**
 * The reader as a client carries it: bundled without anything of Node's, and run against the stack in Chromium, whose
 * requests are of another origin, and in Node. Each is skipped with a line that says so where it is absent.
 */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { chromium } from "playwright-core";
import { startStack } from "../../supabase/local/stack.ts";
import { call, signUp, uploadForm } from "../support/client.ts";
import { literal, openDuckdb, rows } from "../support/duckdb.ts";
import { fragmentQuery } from "../support/fragments.ts";
import type { ReadAnswer } from "./support/read_page.ts";

const entry = (file: string) => fileURLToPath(new URL(file, import.meta.url));

async function bundle(entryPoint: string, platform: "browser" | "node" = "browser") {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: [entryPoint],
    bundle: true,
    minify: true,
    format: "esm",
    platform,
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "error",
  });
  await esbuild.stop();
  return { code: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}

// esbuild's child and playwright's pipes outlive a test by a moment
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test({
  ...options,
  name: "the reader's bundle has nothing of Node, the uploader or zod, and is under 120 KB gzipped",
  fn: async () => {
    const { code, inputs } = await bundle(entry("../../shared/reader/open_dataset.ts"));
    const packages = new Set(
      inputs.filter((path) => path.includes("node_modules/"))
        .map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)![1]),
    );
    assert.deepEqual([...packages].sort(), ["apache-arrow", "flatbuffers", "tslib"]);
    const strange = inputs.filter((path) => /shared\/(uploader|catalog|http|storage)\//.test(path));
    assert.deepEqual(strange, []);
    assert.ok(!/from ?"node:/.test(code) && !code.includes("require("));
    const size = gzipSync(code, { level: 9 }).length;
    assert.ok(size < 120_000, `${size} bytes`);
  },
});

Deno.test({
  ...options,
  name: "the uploader's bundle has nothing of the reader or Arrow",
  fn: async () => {
    const { inputs } = await bundle(entry("../../shared/uploader/uploader.ts"));
    assert.deepEqual(inputs.filter((path) => /shared\/reader\/|apache-arrow/.test(path)), []);
  },
});

const chromiumPath = [
  Deno.env.get("CHROMIUM_BIN"),
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
].find((path) => path && existsSync(path));
if (!chromiumPath) {
  console.log("skipped: tests/reader/bundle_test.ts needs Chromium (apt-get install chromium)");
}

Deno.test({
  ...options,
  name: "the bundle reads a stack's dataset in Chromium and in Node as DuckDB reads what was sent",
  fn: async (t) => {
    await using stack = await startStack({ cron: false });
    const folder = await Deno.makeTempDir({ prefix: "sediment-bundle-" });
    const duckdb = await openDuckdb(1);
    try {
      const user = await signUp(stack, "bundle@example.com");
      const datasetId = crypto.randomUUID();
      for (let n = 0; n < 5; n++) {
        const path = join(folder, `${n}.parquet`);
        const codec = ["snappy", "gzip", "zstd", "lz4_raw", "uncompressed"][n];
        await duckdb.run(
          `copy (${fragmentQuery(n * 200, n * 200 + 200)}) to ${literal(path)} ` +
            `(format parquet, compression ${codec})`,
        );
        const answer = await call(stack, "POST", "/battle-data/upload", {
          headers: user.headers,
          body: uploadForm(
            { dataset_id: datasetId, table: "battles", period_tag: "0" },
            await Deno.readFile(path),
          ),
        });
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
      }
      const [expected] = await rows(
        duckdb,
        `select count(*)::integer as rows, sum(id)::varchar as ids, sum(strlen(s_mid))::integer as texts,
           sum(coalesce(len(li), 0))::integer as entries from read_parquet('${folder}/*.parquet') where id < 700`,
      );
      const settings = {
        url: stack.url,
        key: stack.publishableKey,
        session: user.accessToken,
        datasetId,
      };
      const check = (answer: ReadAnswer) => {
        const { rows, ids, texts, entries } = answer;
        assert.deepEqual({ rows, ids, texts, entries }, { ...expected });
        assert.deepEqual(
          [answer.tableRows, answer.allRows, answer.columns, answer.filesPruned],
          [1000, 1000, 25, 1],
        );
        assert.equal(answer.first.id, "0");
      };

      await t.step({
        name: "Chromium, from another origin",
        ignore: !chromiumPath,
        ...options,
        fn: async () => {
          const { code } = await bundle(entry("./support/read_page.ts"));
          const page = `<!doctype html><script type="module">${
            code.replaceAll("</script", "<\\/script")
          }</script>`;
          await using server = Deno.serve(
            { port: 0, onListen() {} },
            () => new Response(page, { headers: { "content-type": "text/html" } }),
          );
          const browser = await chromium.launch({
            executablePath: chromiumPath,
            args: ["--no-sandbox"],
            timeout: 180_000,
          });
          try {
            const tab = await browser.newPage();
            tab.setDefaultTimeout(180_000);
            const errors: string[] = [];
            tab.on("pageerror", (error) => errors.push(String(error)));
            await tab.goto(`http://127.0.0.1:${server.addr.port}/`);
            const answer = await tab.evaluate(
              (settings) =>
                (globalThis as unknown as { read(s: unknown): Promise<ReadAnswer> }).read(settings),
              settings,
            );
            assert.deepEqual(errors, []);
            check(answer);
          } finally {
            await browser.close();
          }
        },
      });

      for (
        const [command, ...args] of [["node"], ["npx", "-y", "node@22"], ["npx", "-y", "node@24"]]
      ) {
        const name = [command, ...args].join(" ");
        await t.step({
          name,
          ...options,
          fn: async () => {
            if (!await works(command, [...args, "--version"])) {
              console.log(`skipped: ${name} can't be run here`);
              return;
            }
            const { code } = await bundle(entry("./support/read_page.ts"));
            const path = join(folder, "read.mjs");
            await Deno.writeTextFile(
              path,
              `${code}\nconsole.log(JSON.stringify(await read(JSON.parse(process.argv[2]))));`,
            );
            const run = await new Deno.Command(command, {
              args: [...args, path, JSON.stringify(settings)],
              stderr: "inherit",
            }).output();
            assert.ok(run.success);
            check(JSON.parse(new TextDecoder().decode(run.stdout)));
          },
        });
      }
    } finally {
      duckdb.closeSync();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function works(command: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, {
      args,
      stderr: "null",
      stdout: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}
