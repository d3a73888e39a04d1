/** What the port to the users of keys promises, held to whatever Auth stands behind it. */
import { strict as assert } from "node:assert";
import { createKeyUsers } from "../../shared/auth/key_users.ts";
import { newSecret } from "../../shared/keys/key_secret.ts";

/** An Auth to hold to it. */
export interface AuthUnderTest {
  /** The project's URL. */
  url: string;
  secretKey: string;
  publishableKey: string;
}

/** Runs the suite. */
export async function checkKeyUsers(t: Deno.TestContext, auth: AuthUnderTest): Promise<void> {
  const { url, secretKey, publishableKey } = auth;
  const users = createKeyUsers({ url, secretKey, passwordKey: "a key of passwords" });
  const userId = crypto.randomUUID(), keyId = crypto.randomUUID(), secret = newSecret();

  /** What Auth says to a token, or to a secret key. */
  const asked = async (method: string, path: string, token: string, json?: object) => {
    const response = await fetch(`${url}/auth/v1/${path}`, {
      method,
      headers: {
        apikey: token === secretKey ? secretKey : publishableKey,
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
      },
      body: json && JSON.stringify(json),
    });
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  const claimsOf = (token: string) =>
    JSON.parse(atob(token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")));

  await t.step("a user is made under the id that was chosen, once", async () => {
    await users.create({ userId, keyId, secret });
    await users.create({ userId, keyId, secret });
    const { status, body } = await asked("GET", `admin/users/${userId}`, secretKey);
    assert.deepEqual([status, body.id, body.app_metadata.sediment_key], [200, userId, keyId]);
    assert.ok(body.email.endsWith(".invalid"), "no mail can reach it");
  });

  let token = "";
  await t.step("its session is of that user, and says of which key", async () => {
    const session = await users.openSession({ userId, secret });
    token = session!.accessToken;
    const claims = claimsOf(token);
    assert.deepEqual(
      [claims.sub, claims.role, claims.aud, claims.app_metadata.sediment_key],
      [userId, "authenticated", "authenticated", keyId],
    );
    assert.ok(session!.expiresIn > 0 && session!.expiresIn <= 3600, "it lives as tokens do");
  });

  await t.step("Auth takes the token for nothing: no new password, no e-mail", async () => {
    for (
      const [method, path, json] of [
        ["GET", "user"],
        ["PUT", "user", { password: "taken over by its holder" }],
        ["PUT", "user", { email: "me@example.com" }],
        ["POST", "logout?scope=global"],
      ] as const
    ) {
      const { status, body } = await asked(method, path, token, json);
      assert.deepEqual(
        [status, body?.error_code ?? body?.code],
        [403, "session_not_found"],
        `${method} ${path}`,
      );
    }
    assert.equal(
      (await asked("POST", "admin/users", token, { email: "a@example.com" })).status,
      403,
    );
    assert.equal((await asked("DELETE", `admin/users/${userId}`, token)).status, 403);
  });

  await t.step("the secret of a key is no password of its user", async () => {
    const signedIn = await asked("POST", "token?grant_type=password", publishableKey, {
      email: `key-${userId}@keys.sediment.invalid`,
      password: secret,
    });
    assert.equal(signedIn.status, 400);
  });

  await t.step("whatever became of password and e-mail, the key opens", async () => {
    const put = await asked("PUT", `admin/users/${userId}`, secretKey, {
      email: `moved-${userId}@example.com`,
      password: "another password 1A!",
    });
    assert.equal(put.status, 200);
    const session = await users.openSession({ userId, secret });
    assert.equal(claimsOf(session!.accessToken).sub, userId);
    const rotated = createKeyUsers({ url, secretKey, passwordKey: "the next key of passwords" });
    assert.equal(
      claimsOf((await rotated.openSession({ userId, secret }))!.accessToken).sub,
      userId,
    );
  });

  await t.step("a user who is gone has no session, and can be removed again", async () => {
    await users.remove(userId);
    await users.remove(userId);
    assert.equal(await users.openSession({ userId, secret }), null);
    assert.equal((await asked("GET", `admin/users/${userId}`, secretKey)).status, 404);
  });

  await t.step("a key of the project that is none is our configuration's fault", async () => {
    const strange = createKeyUsers({ url, secretKey: publishableKey, passwordKey: "x" });
    await assert.rejects(
      strange.create({ userId: crypto.randomUUID(), keyId, secret }),
      (error: { code?: string }) => error.code === "misconfigured",
    );
  });
}
