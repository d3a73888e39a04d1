import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import {
  type Answer,
  judgeAnswer,
  judgeFailure,
  storedAnswerOf,
} from "../../shared/uploader/send/verdict.ts";

function answer(status: number, code?: string, more: Partial<Answer> = {}): Answer {
  return { status, json: code ? { code } : null, text: "", retryAfterMs: null, ...more };
}

Deno.test("each answer of the service has the verdict that SPEC.md gives it", () => {
  const cases: [number, string | undefined, string][] = [
    [409, "already_stored", "stored"],
    [409, undefined, "rejected"],
    [409, "lease_lost", "rejected"],
    [401, "unauthenticated", "refused"],
    [401, undefined, "refused"],
    [403, "forbidden", "refused"],
    [403, "dataset_forbidden", "refused"],
    [401, "token_invalid", "restart"],
    [410, "token_expired", "restart"],
    [410, "stage_expired", "restart"],
    [410, undefined, "rejected"],
    [400, "invalid_request", "rejected"],
    [404, undefined, "rejected"],
    [413, "body_too_large", "rejected"],
    [422, "hash_mismatch", "rejected"],
    [422, "upload_conflict", "rejected"],
    [408, "body_stalled", "retry"],
    [425, undefined, "retry"],
    [429, "rate_limited", "retry"],
    [429, undefined, "retry"],
    [500, "internal", "retry"],
    [500, "misconfigured", "retry"],
    [502, undefined, "retry"],
    [503, "catalog_failed", "retry"],
    [503, "schema_outdated", "unreachable"],
    [546, undefined, "retry"],
    [200, undefined, "retry"],
    [204, undefined, "retry"],
    [302, undefined, "retry"],
    [0, undefined, "retry"],
  ];
  for (const [status, code, kind] of cases) {
    assert.equal(judgeAnswer(answer(status, code)).kind, kind, `${status} ${code}`);
  }
});

Deno.test("only another's dataset leaves the rest of the batch alone", () => {
  const wide = (status: number, code: string) => {
    const verdict = judgeAnswer(answer(status, code));
    return verdict.kind === "refused" && verdict.wide;
  };
  assert.equal(wide(403, "dataset_forbidden"), false);
  assert.equal(wide(403, "forbidden"), true);
  assert.equal(wide(401, "unauthenticated"), true);
});

Deno.test("nothing but a 200 or 201 of the service's shape and a 409 already_stored is stored", () => {
  const json = fc.option(
    fc.record({
      code: fc.constantFrom("already_stored", "token_expired", "internal", "x", ""),
      key: fc.constantFrom("battle_data/x", "", 7, null),
      size: fc.constantFrom(1000, "1000", 999, undefined),
      ok: fc.boolean(),
    }, { requiredKeys: [] }),
  );
  fc.assert(
    fc.property(fc.nat(599), json, (status, body) => {
      const given = answer(status, undefined, { json: body });
      const taken = storedAnswerOf(given, 1000);
      if (taken) {
        assert.ok(status === 200 || status === 201);
        assert.equal(body?.key, "battle_data/x");
        assert.notEqual(body?.size, 999);
      }
      if (judgeAnswer(given).kind === "stored") {
        assert.deepEqual([status, body?.code], [409, "already_stored"]);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("only what surely sent nothing is unreachable", () => {
  const facts = { timedOut: false, stopped: false, online: true };
  const node = (code: string) => new TypeError("fetch failed", { cause: { code } });
  const deno = (what: string) => new TypeError(`error sending request: client error (${what}): x`);
  assert.equal(judgeFailure(node("ECONNREFUSED"), facts).kind, "unreachable");
  assert.equal(judgeFailure(node("ENOTFOUND"), facts).kind, "unreachable");
  const several = new TypeError("fetch failed", { cause: { errors: [{ code: "EHOSTUNREACH" }] } });
  assert.equal(judgeFailure(several, facts).kind, "unreachable");
  assert.equal(judgeFailure(deno("Connect"), facts).kind, "unreachable");
  assert.equal(
    judgeFailure(new TypeError("Failed to fetch"), { ...facts, online: false }).kind,
    "unreachable",
  );
  assert.equal(judgeFailure(new TypeError("Failed to fetch"), facts).kind, "retry");
  assert.equal(judgeFailure(node("ECONNRESET"), facts).kind, "retry");
  assert.equal(judgeFailure(deno("SendRequest"), facts).kind, "retry");
  assert.equal(judgeFailure(new Error("x"), { ...facts, timedOut: true }).kind, "retry");
  assert.equal(judgeFailure(new Error("x"), { ...facts, stopped: true }).kind, "stopped");
  assert.equal(judgeFailure(null, facts).kind, "retry");
});
