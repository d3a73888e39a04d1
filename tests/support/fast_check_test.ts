import { strict as assert } from "node:assert";
import fc, { seedFrom } from "./fast_check.ts";

Deno.test("properties draw the same values in every run", () => {
  const drawn: number[][] = [[], []];
  for (const values of drawn) {
    fc.assert(fc.property(fc.nat(), (n) => void values.push(n)), { numRuns: 20 });
  }
  assert.deepEqual(drawn[0], drawn[1]);
  assert.ok(new Set(drawn[0]).size > 1);
});

Deno.test("FC_SEED may be a whole number, random or nothing", () => {
  assert.equal(seedFrom(undefined), 42);
  assert.equal(seedFrom("-7"), -7);
  assert.ok(Number.isInteger(seedFrom("random")));
  assert.throws(() => seedFrom("soon"), /FC_SEED/);
});

Deno.test("every test takes fast-check with its seed set", async () => {
  const own = new URL("./", import.meta.url);
  const pending = [new URL("../", own)];
  const direct: string[] = [];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const at = new URL(isDirectory ? `${name}/` : name, folder);
      if (isDirectory) pending.push(at);
      else if (name.endsWith(".ts") && !at.href.endsWith("/support/fast_check.ts")) {
        if (/^import .* from "fast-check";/m.test(await Deno.readTextFile(at))) {
          direct.push(at.pathname);
        }
      }
    }
  }
  assert.deepEqual(direct, [], "import tests/support/fast_check.ts instead");
});
