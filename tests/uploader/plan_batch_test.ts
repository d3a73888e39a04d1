import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { claimed, newItem } from "../../shared/uploader/pending/pending_item.ts";
import { iso, type PendingItem } from "../../shared/uploader/pending/pending_record.ts";
import { authWaitMs, type BatchFacts, planBatch } from "../../shared/uploader/retry/plan_batch.ts";
import { credentialOf } from "../../shared/uploader/session/session.ts";
import { checkSettings } from "../../shared/uploader/settings/check_settings.ts";
import { checkMeta } from "../../shared/uploader/upload_meta.ts";
import { fragment } from "./support/setup.ts";

const now = Date.UTC(2026, 10, 22);
const { retry } = checkSettings({});
const credential = credentialOf("token");
const facts: BatchFacts = { now, origin: "https://x.test", credential, force: false, retry };

function item(n: number, more: Partial<PendingItem> = {}, host = "x.test"): PendingItem {
  const draft = {
    targetUrl: `https://${host}/functions/v1/battle-data/upload`,
    meta: checkMeta(fragment(`t${n % 3}`)),
  };
  const id = n.toString(16).padStart(32, "0");
  return { ...newItem(id, draft, 5, String(n).padStart(64, "0"), now - 1000 + n), ...more };
}

Deno.test("every item is in exactly one list of the plan", () => {
  const any = fc.record({
    state: fc.constantFrom("waiting", "parked", "dead", "expired", "sending" as const),
    age: fc.integer({ min: -100_000, max: 200_000 }),
    next: fc.integer({ min: -10_000, max: 10_000_000 }),
    host: fc.constantFrom("x.test", "y.test"),
    user: fc.constantFrom(null, "u"),
    twin: fc.boolean(),
    refused: fc.constantFrom(null, credential.fingerprint, "other"),
    failures: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(any, { maxLength: 30 }), fc.boolean(), (specs, force) => {
      const items = specs.map((spec, n) => {
        const one = item(spec.twin ? 7 : n, {
          created_at: iso(now - spec.age * 1000),
          next_attempt_at: iso(now + spec.next * 1000),
          user_id: spec.user,
          refused_credential: spec.refused,
          auth_failures: spec.failures,
        }, spec.host);
        const distinct = { ...one, id: n.toString(16).padStart(32, "f") };
        return spec.state === "sending"
          ? claimed(distinct, "me", "1", now, 1000)
          : { ...distinct, state: spec.state };
      });
      const plan = planBatch(items, { ...facts, force });
      const all = Object.values(plan).flat();
      assert.equal(all.length, items.length);
      assert.equal(new Set(all.map((one) => one.id)).size, items.length);
      for (const one of plan.due) {
        assert.ok(one.state === "waiting" || one.state === "parked");
        assert.ok(one.target_url.startsWith("https://x.test"));
      }
      const states = plan.due.map((one) => one.state);
      assert.ok(states.lastIndexOf("waiting") < (states.indexOf("parked") + 1 || Infinity));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("two records of one identity are one request; the same bytes for another table are two", () => {
  const twin = { ...item(1), id: "f".repeat(32) };
  const other = { ...item(1), id: "e".repeat(32), context: checkMeta(fragment("elsewhere")) };
  const plan = planBatch([item(1), twin, other], facts);
  assert.deepEqual(plan.due.map((one) => one.id), [item(1).id, other.id]);
  assert.deepEqual(plan.duplicates.map((one) => one.id), [twin.id]);
});

Deno.test("a refused item waits for another credential, and then for the backoff of its refusals", () => {
  const parked = (failures: number, refused: string, ago: number) =>
    item(1, {
      state: "parked",
      auth_failures: failures,
      refused_credential: refused,
      last_attempt_at: iso(now - ago * 1000),
    });
  const due = (one: PendingItem, force = false) => planBatch([one], { ...facts, force }).due.length;
  assert.equal(due(parked(1, credential.fingerprint, 9999)), 0);
  assert.equal(due(parked(1, credential.fingerprint, 0), true), 1);
  assert.equal(due(parked(1, "other", 0)), 1);
  assert.equal(due(parked(2, "other", 299)), 0);
  assert.equal(due(parked(2, "other", 301)), 1);
  assert.equal(due(parked(3, "other", 599)), 0);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 99].map((n) => authWaitMs(n, retry) / 1000), [
    0,
    300,
    600,
    1200,
    2400,
    3600,
    3600,
  ]);
});

Deno.test("a re-queued item's time to live begins anew", () => {
  const old = item(1, { created_at: iso(now - 100_000_000) });
  assert.equal(planBatch([old], facts).expired.length, 1);
  const again = { ...old, requeued_at: iso(now - 1000) };
  assert.equal(planBatch([again], facts).due.length, 1);
});
