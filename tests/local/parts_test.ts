import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { findPostgrest, type PostgrestSearch } from "../../supabase/local/parts/postgrest.ts";
import { demandPlatform } from "../../supabase/local/parts/platform.ts";
import type { SedimentError } from "../../shared/errors.ts";

const env = (values: Record<string, string>) => ({ get: (name: string) => values[name] });
const nothing = () => Promise.resolve(undefined);

async function withFolder(test: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const missing = (search: PostgrestSearch, words: RegExp[]) =>
  assert.rejects(findPostgrest(search), (error: SedimentError) => {
    assert.equal(error.code, "part_missing");
    for (const word of words) assert.match(error.message, word);
    return true;
  });

Deno.test("POSTGREST_BIN goes first; a wrong one is an error, not a reason to search on", () =>
  withFolder(async (cacheDir) => {
    const path = join(cacheDir, "mine");
    await Deno.writeTextFile(path, "");
    assert.equal(await findPostgrest({ cacheDir, env: env({ POSTGREST_BIN: path }) }), path);
    await missing(
      { cacheDir, env: env({ POSTGREST_BIN: "/no/such/postgrest" }) },
      [/\/no\/such\/postgrest/, /POSTGREST_BIN/],
    );
  }));

Deno.test("PATH goes before npm", () =>
  withFolder(async (cacheDir) => {
    await Deno.writeTextFile(join(cacheDir, "postgrest"), "");
    const found = await findPostgrest({ cacheDir, env: env({ PATH: `/nowhere:${cacheDir}` }) });
    assert.equal(found, join(cacheDir, "postgrest"));
  }));

Deno.test("the npm package's program is refused when its hash is not the pinned one", () =>
  withFolder(async (cacheDir) => {
    await Deno.writeTextFile(join(cacheDir, "postgrest"), "not PostgREST");
    await missing({
      cacheDir,
      env: env({}),
      platform: "linux-x64",
      findPackage: () => Promise.resolve(cacheDir),
    }, [/not the pinned/, /deno install/]);
  }));

for (
  const [platform, line] of [
    ["darwin-arm64", /brew install postgrest/],
    ["darwin-x64", /brew install postgrest/],
    ["linux-arm64", /curl -L .*aarch64/],
    ["windows-x64", /supabase\/local\/README\.md/],
  ] as const
) {
  Deno.test(`without PostgREST on ${platform} the error holds the line that installs it`, () =>
    withFolder((cacheDir) =>
      missing({ cacheDir, env: env({}), platform, findPackage: nothing, releases: {} }, [line])
    ));
}

Deno.test("on Windows the error names WSL2, on the supported platforms there is none", () => {
  assert.throws(() => demandPlatform("windows-x64"), {
    code: "part_missing",
    message: /wsl --install/,
  });
  for (const name of ["linux-x64", "darwin-arm64"]) demandPlatform(name);
});

Deno.test("a release is downloaded once and only with the pinned hash", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "postgrest"), "#!/bin/sh\n");
    const packed = await new Deno.Command("tar", {
      args: ["-cJf", join(folder, "archive.tar.xz"), "-C", folder, "postgrest"],
    }).output();
    assert.ok(packed.success);
    const archive = await Deno.readFile(join(folder, "archive.tar.xz"));
    let downloads = 0;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      downloads++;
      return new Response(archive);
    });
    const url = `http://127.0.0.1:${server.addr.port}/postgrest.tar.xz`;
    const search = (sha256: string) => ({
      cacheDir: join(folder, "cache"),
      env: env({}),
      platform: "linux-x64",
      findPackage: nothing,
      releases: { "linux-x64": { url, sha256 } },
    });
    try {
      await missing(search("0".repeat(64)), [/not the pinned 0000/]);
      const right = search(createHash("sha256").update(archive).digest("hex"));
      const path = await findPostgrest(right);
      assert.equal(await Deno.readTextFile(path), "#!/bin/sh\n");
      assert.equal(await findPostgrest(right), path);
      assert.equal(downloads, 2);
    } finally {
      await server.shutdown();
    }
    await missing(search("1".repeat(64)), [/could not be fetched/]);
  }));
