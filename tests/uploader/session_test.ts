import { strict as assert } from "node:assert";
import {
  credentialOf,
  type SessionEvent,
  type SupabaseAuth,
  supabaseSession,
} from "../../shared/uploader/session/session.ts";
import { startTriggers } from "../../shared/uploader/retry/triggers.ts";
import { systemClock } from "../../shared/clock.ts";
import { eventually } from "../support/eventually.ts";
import { emptyReport, type Trigger } from "../../shared/uploader/retry/batch_report.ts";

function fakeAuth(session: { access_token: string } | null, error: { name: string } | null = null) {
  let callback: Parameters<SupabaseAuth["onAuthStateChange"]>[0] = () => {};
  let subscribed = false;
  const auth: SupabaseAuth = {
    getSession: () =>
      Promise.resolve({ data: { session }, error: error && { ...error, message: "" } }),
    onAuthStateChange(listener) {
      callback = listener;
      subscribed = true;
      return { data: { subscription: { unsubscribe: () => void (subscribed = false) } } };
    },
  };
  return {
    auth,
    emit: (event: string, with_: { access_token: string } | null = session) =>
      callback(event, with_),
    subscribed: () => subscribed,
  };
}

const jwt = (claims: unknown) =>
  `x.${
    btoa(unescape(encodeURIComponent(JSON.stringify(claims)))).replaceAll("+", "-").replaceAll(
      "/",
      "_",
    )
  }.y`;

Deno.test("a credential knows its user from the token, and tells tokens apart without being one", () => {
  const token = jwt({ sub: "u-1", name: "ゆうだち?>" });
  const credential = credentialOf(token);
  assert.equal(credential.userId, "u-1");
  assert.ok(!token.includes(credential.fingerprint));
  assert.notEqual(credential.fingerprint, credentialOf(`${token}2`).fingerprint);
  for (const odd of ["", "a", "a.b.c", `x.${btoa("null")}.y`, jwt({ sub: 7 })]) {
    assert.equal(credentialOf(odd).userId, null, odd);
  }
});

Deno.test("a refresh that failed for want of a network is not a sign-out", async () => {
  const offline = supabaseSession(fakeAuth(null, { name: "AuthRetryableFetchError" }).auth);
  await assert.rejects(offline.credential(), { code: "server_unreachable" });
  const out = supabaseSession(fakeAuth(null, { name: "AuthSessionMissingError" }).auth);
  assert.equal(await out.credential(), null);
});

Deno.test("session events come after supabase-js has left its callback, where its lock is held", async () => {
  const fake = fakeAuth({ access_token: "t" });
  const seen: SessionEvent[] = [];
  const forget = supabaseSession(fake.auth).onChange!((event) => seen.push(event));
  for (
    const event of ["INITIAL_SESSION", "SIGNED_IN", "USER_UPDATED", "TOKEN_REFRESHED", "SIGNED_OUT"]
  ) {
    fake.emit(event);
  }
  fake.emit("INITIAL_SESSION", null);
  assert.deepEqual(seen, []);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(seen, ["SIGNED_IN", "SIGNED_IN", "TOKEN_REFRESHED", "SIGNED_OUT"]);
  forget();
  assert.equal(fake.subscribed(), false);
});

Deno.test("start-up, session, interval and online are triggers; a sign-out is none; all end together", async () => {
  const seen: (Trigger | "out")[] = [];
  const fake = fakeAuth({ access_token: "t" });
  const network = new EventTarget();
  const end = startTriggers({
    trigger: (trigger) => (seen.push(trigger), Promise.resolve(emptyReport(trigger))),
    signedOut: () => seen.push("out"),
    session: supabaseSession(fake.auth),
    clock: systemClock,
    intervalSeconds: 0.03,
    network,
  });
  fake.emit("TOKEN_REFRESHED");
  fake.emit("SIGNED_OUT");
  network.dispatchEvent(new Event("online"));
  await eventually("an interval", () => seen.includes("interval"));
  end();
  const count = seen.length;
  fake.emit("SIGNED_IN");
  network.dispatchEvent(new Event("online"));
  await new Promise((resolve) => setTimeout(resolve, 60));
  for (const event of ["startup", "session", "out", "online", "interval"] as const) {
    assert.ok(seen.includes(event), event);
  }
  assert.ok(seen.length <= count + 1, "a trigger after the end"); // the event that was emitted after
});
