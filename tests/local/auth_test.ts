import { strict as assert } from "node:assert";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import { type Stack, startStack } from "../../supabase/local/stack.ts";
import { anonClient, signUp } from "../support/stack.ts";

let stack: Stack;
Deno.test.beforeAll(async () => {
  stack = await startStack({ migrations: false, functions: false, cron: false });
});
Deno.test.afterAll(() => stack.stop());

Deno.test("a user who signed up signs in with the password, and not with another one", async () => {
  const user = await signUp(stack);
  const client = anonClient(stack);
  const right = await client.auth.signInWithPassword(user);
  assert.equal(right.error, null);
  assert.equal(right.data.user?.id, user.id);
  const wrong = await client.auth.signInWithPassword({ email: user.email, password: "another" });
  assert.equal(wrong.error?.code, "invalid_credentials");
});

Deno.test("a user's token is ES256 and verifies with the published JWKS", async () => {
  const user = await signUp(stack);
  assert.equal(decodeProtectedHeader(user.token).alg, "ES256");
  const keys = createRemoteJWKSet(new URL(`${stack.url}/auth/v1/.well-known/jwks.json`));
  const { payload } = await jwtVerify(user.token, keys, {
    algorithms: ["ES256"],
    issuer: `${stack.url}/auth/v1`,
    audience: "authenticated",
  });
  assert.equal(payload.sub, user.id);
  assert.equal(payload.role, "authenticated");
  assert.deepEqual(stack.jwks.keys.map((key) => "d" in key), [false], "the private part is out");
});

Deno.test("a refreshed session has a new token that the auth service takes", async () => {
  const user = await signUp(stack);
  const { data, error } = await user.client.auth.refreshSession();
  assert.equal(error, null);
  assert.equal(decodeProtectedHeader(data.session!.access_token).alg, "ES256");
  const asked = await user.client.auth.getUser(data.session!.access_token);
  assert.equal(asked.data.user?.id, user.id);
});

Deno.test("auth refuses a token that somebody else signed", async () => {
  const user = await signUp(stack);
  const forged = await new SignJWT({ sub: user.id, role: "authenticated", aud: "authenticated" })
    .setProtectedHeader({ alg: "HS256" }).setExpirationTime("1h")
    .sign(new TextEncoder().encode("a secret that is not the stack's own"));
  const { error } = await anonClient(stack).auth.getUser(forged);
  assert.ok(error, "the forged token was taken");
});

Deno.test("auth without an API key answers 401", async () => {
  const response = await fetch(`${stack.url}/auth/v1/signup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "x@example.com", password: "long-enough-password" }),
  });
  await response.body?.cancel();
  assert.equal(response.status, 401);
});
