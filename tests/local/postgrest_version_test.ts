import { strict as assert } from "node:assert";
import { join } from "node:path";
import { postgrestMajor, versionSettings } from "../../supabase/local/parts/postgrest_version.ts";

Deno.test("PostgREST 14 to 16 are not told of the cache that 14 replaced, 12 and 13 are", () => {
  for (const major of [12, 13]) {
    assert.equal(versionSettings(major).config["jwt-cache-max-lifetime"], 600);
  }
  for (const major of [14, 15, 16, null]) {
    assert.deepEqual(versionSettings(major), { config: {}, env: {} });
  }
});

Deno.test("the major version is read from what the program says, in the words of every version", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sediment-postgrest-" });
  try {
    const says: [string, number | null][] = [
      ["PostgREST 12.0.2", 12],
      ["PostgREST 13.0.8 (1a2b3c4)", 13],
      ["PostgREST 14.16", 14],
      ["PostgREST 16.2", 16],
      ["no version", null],
    ];
    for (const [text, major] of says) {
      const program = join(folder, "postgrest");
      await Deno.writeTextFile(program, `#!/bin/sh\n[ "$1" = --version ] && echo '${text}'\n`);
      await Deno.chmod(program, 0o755);
      assert.equal(await postgrestMajor(program), major, text);
    }
    assert.equal(await postgrestMajor(join(folder, "absent")), null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
