import { strict as assert } from "node:assert";
import { createConsoleApp } from "../../functions/console.ts";
import { httpWorld, send } from "../support/http_world.ts";

/** The console's app over an Auth that knows one password, and how often it was asked. */
async function withAuth(
  use: (signIn: (json: unknown) => ReturnType<typeof send>, asked: () => number) => Promise<void>,
) {
  let asked = 0;
  await using auth = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      asked++;
      const { password } = await request.json();
      return password === "right"
        ? Response.json({
          access_token: "a",
          refresh_token: "r",
          expires_in: 3600,
          user: { id: 1 },
        })
        : Response.json({ error: "invalid_grant" }, { status: 400 });
    },
  );
  const SUPABASE_URL = `http://127.0.0.1:${auth.addr.port}`;
  const app = createConsoleApp(httpWorld({ env: { SUPABASE_URL } }).services);
  await use((json) => send(app, "POST", "/console/session", { json }), () => asked);
}

Deno.test("a session of the console holds tokens and nothing else of Auth's answer", async () => {
  await withAuth(async (signIn) => {
    const { status, body } = await signIn({ email: "me@example.com", password: "right" });
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body).sort(), ["access_token", "expires_in", "refresh_token"]);
  });
});

Deno.test("whoever guesses one user's password is told to wait before Auth is asked, and others sign in meanwhile", async () => {
  await withAuth(async (signIn, asked) => {
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, n) => {
        const email = n % 2 === 0 ? "me@example.com" : " ME@example.com";
        return signIn({ email, password: String(n) });
      }),
    );
    const statuses = Map.groupBy(guesses, ({ status }) => status);
    assert.deepEqual([...statuses.keys()].sort(), [401, 429]);
    assert.equal(statuses.get(401)!.length, asked());
    assert.ok(asked() <= 11, `Auth was asked ${asked()} times`);
    const { body, headers } = statuses.get(429)![0];
    assert.deepEqual([body.code, body.limit], ["rate_limited", "passwords"]);
    assert.ok(Number(headers.get("retry-after")) > 0);
    assert.equal((await signIn({ email: "you@example.com", password: "right" })).status, 200);
  });
});

Deno.test("sign-ins of all together have a bound, whatever names are tried", async () => {
  await withAuth(async (signIn, asked) => {
    const tries = Array.from({ length: 60 }, (_, n) => n);
    const guesses = await Promise.all(
      tries.map((n) => signIn({ email: `${n}@example.com`, password: "wrong" })),
    );
    assert.ok(asked() < 40, `Auth was asked ${asked()} times`);
    assert.equal(guesses.filter(({ status }) => status === 429).length, 60 - asked());
  });
});
