import { strict as assert } from "node:assert";
import type { PlanSettings } from "../../shared/compaction/plan/data_file.ts";
import { tierOf, tierRatio } from "../../shared/compaction/plan/tiers.ts";
import fc from "../support/fast_check.ts";
import {
  type Amplification,
  defaultSettings,
  simulateUploads,
  type Upload,
} from "./simulated_uploads.ts";

/** Below this the planner doesn't tell sizes apart: a merge may write so many bytes that stay in their tier. */
const floorBytes = 32 * 1024;

/** Tiers below the target: the logarithm of O(log n). */
function tiersOf(settings: PlanSettings): number {
  const largest = settings.target_file_bytes * 0.75 - 1;
  return 1 + tierOf(largest, settings.target_file_bytes, tierRatio(settings.min_inputs))!;
}

/** Bytes written, what the lowest tier costs left aside. */
const risingBytes = ({ writtenBytes, merges }: Amplification) => writtenBytes - merges * floorBytes;

/** What is written when each byte is written once in each tier from its upload's on. */
function onceATier(uploads: Upload[], settings: PlanSettings): number {
  const ratio = tierRatio(settings.min_inputs);
  return uploads.reduce((sum, { bytes }) => {
    const tier = tierOf(bytes, settings.target_file_bytes, ratio);
    return sum + (tier === null ? 0 : bytes * (tiersOf(settings) - tier));
  }, 0);
}

const settings = fc.record({ min_inputs: fc.integer({ min: 2, max: 10 }) })
  .map((some) => ({ ...defaultSettings, ...some }));

/** Sizes from 1 KB to 512 KB or to 8 MB, those of each magnitude as likely. */
const uploadsEach = (longestGap: number) =>
  fc.constantFrom(19, 23).chain((largest) =>
    fc.array(
      fc.record({
        bytes: fc.double({ min: 10, max: largest, noNaN: true })
          .map((power) => Math.round(2 ** power)),
        gap: fc.integer({ min: 0, max: longestGap }),
      }),
      { minLength: 50, maxLength: 400, size: "max" },
    )
  );

Deno.test("a byte of uploads that come fast is written at most twice a tier", () => {
  fc.assert(
    fc.property(uploadsEach(5), settings, (uploads, settings) => {
      const written = risingBytes(simulateUploads(uploads, settings));
      const bound = onceATier(uploads, settings);
      // twice: where an output is cut at the target, the rest may stay in its tier
      assert.ok(written <= 2 * bound, `${written} bytes, the bound is twice ${bound}`);
    }),
    { endOnFailure: true }, // shrinking hundreds of uploads takes minutes
  );
});

Deno.test("a byte that is merged for its age is written at most three times a tier", () => {
  fc.assert(
    fc.property(uploadsEach(7200), settings, (uploads, settings) => {
      const written = risingBytes(simulateUploads(uploads, settings));
      const bound = onceATier(uploads, settings);
      assert.ok(written <= 3 * bound, `${written} bytes, the bound is three times ${bound}`);
    }),
    { endOnFailure: true }, // shrinking hundreds of uploads takes minutes
  );
});

/** A day's uploads of 40 KB, evenly. */
const evenly = (count: number) =>
  Array.from({ length: count }, () => ({ bytes: 40_000, gap: 86_400 / count }));

Deno.test("ten times the uploads are written two tiers more often, not ten times", () => {
  const [few, many] = [300, 3000].map((count) =>
    simulateUploads(evenly(count), { ...defaultSettings, target_file_bytes: 1 << 30 })
  );
  const times = [few, many].map((one) => one.writtenBytes / one.uploadedBytes);
  assert.ok(times[1] <= times[0] + 2, `${times[0]} and ${times[1]} times`);
  assert.ok(many.meanFiles < 4 * tiersOf(defaultSettings), `${many.meanFiles} files`);
});

Deno.test("where memory cuts outputs below the target, as where rows are deduplicated, large ones are not written anew for each few small ones", () => {
  const settings = { ...defaultSettings, dedupe_keys: ["id"] };
  const [few, many] = [300, 3000].map((count) => simulateUploads(evenly(count), settings));
  const times = [few, many].map((one) => one.writtenBytes / one.uploadedBytes);
  assert.ok(times[1] <= times[0] + 2, `${times[0]} and ${times[1]} times`);
  assert.ok(many.deepest <= 3 * tiersOf(settings), `${many.deepest} merges deep`);
  assert.ok(many.meanFiles < 4 * tiersOf(settings), `${many.meanFiles} files`);
});

Deno.test("merging all that is small at each upload would break that bound", () => {
  const [few, many] = [30, 300].map((count) =>
    simulateUploads(evenly(count), defaultSettings, true)
  );
  assert.ok(many.writtenBytes / many.uploadedBytes > 5 * few.writtenBytes / few.uploadedBytes);
  assert.ok(risingBytes(many) > 3 * onceATier(evenly(300), defaultSettings));
});
