import { strict as assert } from "node:assert";
import { join } from "node:path";
import { openStateFolder } from "../../supabase/local/state/folder.ts";

Deno.test("--reset removes what a stack made and refuses a folder that holds anything else", async () => {
  const path = await Deno.makeTempDir({ prefix: "sediment-reset-" });
  try {
    await Deno.mkdir(join(path, "postgres"));
    await Deno.writeTextFile(join(path, "keys.json"), "{}");
    await Deno.writeTextFile(join(path, "thesis.txt"), "years of work");
    const folder = await openStateFolder(path);
    await assert.rejects(folder.empty(), /thesis\.txt/);
    assert.equal(await Deno.readTextFile(join(path, "thesis.txt")), "years of work");
    await Deno.stat(join(path, "keys.json"));

    await Deno.remove(join(path, "thesis.txt"));
    await folder.empty();
    assert.deepEqual(await Array.fromAsync(Deno.readDir(path)), []);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});
