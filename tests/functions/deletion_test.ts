import { strict as assert } from "node:assert";
import { createBattleDataApp } from "../../functions/battle-data/app.ts";
import { alice, bob, httpWorld, secretKey, send, tokenOf } from "../support/http_world.ts";

Deno.test("a user deletes nobody else, nor does a service that acts for a user", async () => {
  const world = httpWorld();
  const asked: unknown[] = [];
  // deno-lint-ignore no-explicit-any -- one method that only remembers what it was asked
  (world.services.catalog as any).deleteUser = (args: unknown) => {
    asked.push(args);
    return Promise.resolve({ deletion_id: alice, state: "removed", done: true });
  };
  const app = createBattleDataApp(world.services);
  const status = async (headers: Record<string, string>) => {
    const { status, body } = await send(app, "DELETE", `/battle-data/users/${alice}`, { headers });
    return [status, body.code];
  };
  const refused = [403, "forbidden"];
  assert.deepEqual(await status({ authorization: `Bearer ${await tokenOf(bob)}` }), refused);
  assert.deepEqual(await status({ apikey: secretKey, "x-sediment-user": bob }), refused);
  assert.deepEqual(asked, []);
  await status({ authorization: `Bearer ${await tokenOf(alice)}` });
  await status({ apikey: secretKey, "x-sediment-user": alice });
  await status({ apikey: secretKey });
  assert.deepEqual(asked, [alice, alice, null].map((by) => ({ user: alice, by, purge: false })));
});
