import { strict as assert } from "node:assert";
import { openDatabase, type SimulatedDatabase } from "./database.ts";
import { lockOrder, mutationSql, originalSql } from "./mutations.ts";
import { race } from "./races.ts";

let database: SimulatedDatabase;
Deno.test.beforeAll(async () => {
  database = await openDatabase("real");
});
Deno.test.afterAll(async () => {
  await database.stop();
});

const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test(
  "actors on four connections at once violate no invariant and never deadlock",
  options,
  async () => {
    let injected = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const { violations, uploads, faults } = await race(database, seed);
      assert.deepEqual(violations, []);
      assert.ok(uploads > 10);
      injected += faults;
    }
    assert.ok(injected > 20, "hardly any call failed, was doubled or lost its connection");
  },
);

Deno.test("with one order of locks turned round they deadlock", options, async () => {
  await database.patch(await mutationSql(lockOrder));
  try {
    for (let seed = 1; seed <= 60; seed++) {
      const { violations } = await race(database, seed);
      if (violations.some((violation) => /deadlocks/.test(violation))) return;
    }
    assert.fail("60 races did not miss the order of locks");
  } finally {
    await database.patch(await originalSql(lockOrder));
  }
});
