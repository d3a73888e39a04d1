import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import {
  applyEvent,
  claimed,
  claimOverrun,
  newItem,
} from "../../shared/uploader/pending/pending_item.ts";
import {
  ms,
  type PendingItem,
  readRecord,
  writeRecord,
} from "../../shared/uploader/pending/pending_record.ts";
import { type ItemEvent, itemEvents, itemTransitions } from "../../shared/uploader/transitions.ts";
import { checkMeta } from "../../shared/uploader/upload_meta.ts";
import { fragment } from "./support/setup.ts";

const start = Date.UTC(2026, 10, 22);
const draft = {
  targetUrl: "https://x.test/functions/v1/battle-data/upload",
  meta: checkMeta(fragment()),
};
const fresh = newItem("0123456789abcdef0123456789abcdef", draft, 5, "a".repeat(64), start);
const context = (now: number) => ({ now, random: () => 0.5, intervalSeconds: 60 });
const error = { code: "x", message: "y" };

/** Any run of events, each at a time of a clock that may jump. */
const runs = fc.array(
  fc.record({
    event: fc.constantFrom(...itemEvents),
    seconds: fc.integer({ min: -100_000, max: 100_000 }),
  }),
  { maxLength: 40 },
);

Deno.test("whatever happens to an item, its record can be read back and its parts agree", () => {
  fc.assert(
    fc.property(runs, (run) => {
      let item: PendingItem | null = fresh, now = start, nonce = 0;
      for (const { event, seconds } of run) {
        if (item === null) return;
        now += seconds * 1000;
        const cell = itemTransitions[item.state][event];
        if (event === "claim") {
          if (cell) item = claimed(item, "me", `me-${nonce++}`, now, 60_000);
        } else if (cell) item = applyEvent(item, event, { error }, context(now));
        if (item === null) continue;
        assert.deepEqual(readRecord(item.id, writeRecord(item)), { kind: "item", item });
        assert.equal(item.claim !== null, item.state === "sending");
        assert.ok(item.attempt_count >= 0);
        assert.ok(ms(item.next_attempt_at) <= Math.max(now, start) + 3_600_000 + 100_000_000 * 41);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("between two claims an attempt is given back at most once", () => {
  fc.assert(
    fc.property(runs, (run) => {
      let item: PendingItem | null = fresh, claims = 0, now = start;
      for (const { event, seconds } of run) {
        if (item === null) return;
        now += Math.abs(seconds) * 1000;
        const cell = itemTransitions[item.state][event];
        const before: number = item.attempt_count;
        if (event === "claim") {
          if (!cell) continue;
          item = claimed(item, "me", `${claims++}`, now, 1000);
          assert.equal(item.attempt_count, before + 1);
        } else if (cell) {
          const was: PendingItem = item;
          item = applyEvent(was, event, { error }, context(now));
          if (item && item.attempt_count < before && item.attempt_count > 0) {
            assert.equal(was.state, "sending");
            assert.equal(item.attempt_count, before - 1);
          }
        }
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("the word of a claim that no longer holds the item is heard only when it is an end", () => {
  const held = claimed(fresh, "me", "second", start, 60_000);
  for (const event of itemEvents) {
    if (event === "claim" || !itemTransitions.sending[event]) continue;
    const after = applyEvent(held, event, { error, nonce: "first" }, context(start));
    const end: ItemEvent[] = ["stored", "rejected", "corrupt"];
    if (end.includes(event)) assert.notEqual(after, held, event);
    else assert.equal(after, held, event);
  }
});

Deno.test("a claim has overrun after its time, and when the clock was set back before it began", () => {
  const held = claimed(fresh, "me", "1", start, 60_000);
  assert.equal(claimOverrun(held, start + 59_000), false);
  assert.equal(claimOverrun(held, start + 61_000), true);
  assert.equal(claimOverrun(held, start - 30_000), false); // a small correction is none
  assert.equal(claimOverrun(held, start - 61_000), true);
  assert.equal(claimOverrun({ ...held, claim: null }, start), true);
  assert.equal(claimOverrun(fresh, start + 1e9), false);
});

Deno.test("a Retry-After longer than the backoff is waited for", () => {
  const held = claimed(fresh, "me", "1", start, 60_000);
  const wait = (retryAfterMs?: number) =>
    ms(applyEvent(held, "failed", { error, retryAfterMs }, context(start))!.next_attempt_at) -
    start;
  assert.equal(wait(), 30_000);
  assert.equal(wait(10_000), 30_000);
  assert.equal(wait(600_000), 600_000);
});
