/**
 * The users of keys on the embedded stack's stand-in for Auth; and on a real one where SEDIMENT_TEST_AUTH_URL (a project's
 * URL), SEDIMENT_TEST_AUTH_SECRET_KEY and SEDIMENT_TEST_AUTH_PUBLISHABLE_KEY name it.
 */
import { startStack } from "../../supabase/local/stack.ts";
import { checkKeyUsers } from "./key_users.ts";

Deno.test("users of keys: the embedded stack's Auth keeps what the port promises", async (t) => {
  await using stack = await startStack({ migrations: false, functions: false, cron: false });
  await checkKeyUsers(t, stack);
});

const url = Deno.env.get("SEDIMENT_TEST_AUTH_URL");
const secretKey = Deno.env.get("SEDIMENT_TEST_AUTH_SECRET_KEY") ?? "";
const publishableKey = Deno.env.get("SEDIMENT_TEST_AUTH_PUBLISHABLE_KEY") ?? "";

Deno.test({
  name: "users of keys: a real Auth keeps what the port promises",
  ignore: url === undefined,
  fn: async (t) => await checkKeyUsers(t, { url: url!, secretKey, publishableKey }),
});
