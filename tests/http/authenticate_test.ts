import { strict as assert } from "node:assert";
import { generateKeyPair } from "jose";
import { readEnv } from "../../shared/env.ts";
import { SedimentError } from "../../shared/errors.ts";
import { createAuthenticator } from "../../shared/http/authenticate.ts";
import { issuersOf } from "../../shared/http/user_claims.ts";
import {
  alice,
  cronKey,
  httpWorld,
  publishableKey,
  secretKey,
  tokenOf,
} from "../support/http_world.ts";

const { auth } = httpWorld().services;
const call = (headers: Record<string, string>) =>
  auth.userOrService(new Request("http://edge.local/compactor", { headers }));
const callService = (headers: Record<string, string>) =>
  auth.service(
    new Request("http://edge.local/compactor", {
      headers: { ...headers, "x-request-id": "r-1" },
    }),
  );

const stranger = (await generateKeyPair("ES256")).privateKey;
const tokens: Record<string, string> = {
  "a user's token": await tokenOf(alice),
  "a foreign token": await tokenOf(alice, { key: stranger, kid: "another" }),
  "a token with a known kid and another's signature": await tokenOf(alice, { key: stranger }),
  "an expired token": await tokenOf(alice, { expiresInSeconds: -60 }),
  "the key itself": cronKey,
  "no token at all": "not-a-token",
};

for (const [what, token] of Object.entries(tokens)) {
  Deno.test(`a secret key is a service, also beside ${what}`, async () => {
    for (let time = 1; time <= 2; time++) {
      const caller = await callService({ apikey: cronKey, authorization: `Bearer ${token}` });
      const requestId = "r-1";
      assert.deepEqual(caller, { kind: "service", keyName: "cron", onBehalfOf: null, requestId });
      // The user's token is remembered once it came alone, and must not win then either.
      if (what === "a user's token") await call({ authorization: `Bearer ${token}` });
    }
  });
}

Deno.test("a user's token is that user, alone, beside a publishable key and beside an unknown one", async () => {
  const authorization = `Bearer ${await tokenOf(alice)}`;
  for (
    const apikey of [undefined, publishableKey, "sb_secret_of_another_project", publishableKey]
  ) {
    const caller = await call({ authorization, ...(apikey ? { apikey } : {}) });
    assert.deepEqual(caller, { kind: "user", userId: alice });
  }
});

Deno.test("neither an unknown key nor a foreign token opens anything", async () => {
  const foreign = `Bearer ${tokens["a foreign token"]}`;
  for (
    const headers of [
      { apikey: "sb_secret_of_another_project" },
      { apikey: publishableKey },
      { apikey: publishableKey, authorization: foreign },
      { authorization: foreign },
      { authorization: `Bearer ${secretKey}` },
      {},
    ] as Record<string, string>[]
  ) {
    await assert.rejects(call(headers), (error: SedimentError) => {
      assert.equal(error.code, "unauthenticated", JSON.stringify(headers));
      return true;
    });
  }
});

Deno.test("without signing keys services are served, and a user is told why not", async () => {
  const env = readEnv({
    SUPABASE_URL: "http://kong:8000",
    SUPABASE_SECRET_KEY: secretKey,
    SUPABASE_JWKS: '{"keys":[]}',
  });
  assert.deepEqual(env.SUPABASE_JWKS, { keys: [] });
  const { userOrService } = createAuthenticator({
    supabaseUrl: env.SUPABASE_URL,
    ...env,
    jwks: env.SUPABASE_JWKS!,
    issuers: issuersOf(env.SUPABASE_URL),
    actingKeys: env.SEDIMENT_ACTING_KEYS,
    log: () => {},
  });
  const request = (headers: Record<string, string>) => new Request("http://edge/x", { headers });
  const authorization = `Bearer ${await tokenOf(alice)}`;
  assert.equal(
    (await userOrService(request({ apikey: secretKey, authorization }))).kind,
    "service",
  );
  await assert.rejects(userOrService(request({ authorization })), (error: SedimentError) => {
    assert.equal(error.code, "unauthenticated");
    assert.equal(error.extra?.reason, "no_signing_keys");
    assert.match(error.expected ?? "", /SUPABASE_JWKS/);
    return true;
  });
});

Deno.test("a user who reads is there for the others' shares, and pays nothing", async () => {
  const { env } = httpWorld().services;
  const told: string[] = [];
  const { userOrService } = createAuthenticator({
    supabaseUrl: env.SUPABASE_URL,
    ...env,
    jwks: env.SUPABASE_JWKS!,
    issuers: issuersOf(env.SUPABASE_URL),
    actingKeys: [],
    shares: {
      come: (user) => void told.push(`${user} comes`),
      admit: (user) => Promise.resolve(void told.push(`${user} pays`)),
    },
  });
  const headers = { authorization: `Bearer ${await tokenOf(alice)}` };
  for (const method of ["GET", "HEAD", "POST", "DELETE"]) {
    await userOrService(new Request("http://edge.local/battle-data/x", { method, headers }));
  }
  assert.deepEqual(told, ["comes", "comes", "pays", "pays"].map((does) => `${alice} ${does}`));
});
