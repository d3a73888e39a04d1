/** Uploads to an S3 whose requests fail, or are done and lose their answer: an object is whole or absent, and ours. */
import { strict as assert } from "node:assert";

import fc from "../support/fast_check.ts";

import { SedimentError } from "../../shared/errors.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { createS3Double, s3Error } from "./s3_double.ts";

const partBytes = 100;
const source = new Uint8Array(1000).map((_, i) => i * 7 + (i >> 8));

/** A piece of an object: bytes that are written, or a range of the source. */
const piece = fc.oneof(
  fc.record({ size: fc.integer({ min: 0, max: 350 }), fill: fc.nat(255) }),
  fc.record({ from: fc.nat(999), to: fc.nat(1000) }),
);

const outcome = fc.oneof(
  { weight: 3, arbitrary: fc.constant("done" as const) },
  { weight: 1, arbitrary: fc.constantFrom("refused" as const, "broken" as const) },
  { weight: 2, arbitrary: fc.constant("lost" as const) },
);

type Piece = { size: number; fill: number } | { from: number; to: number };

/** The bytes of a piece, in chunks or as a range. */
function bytesOf(one: Piece): Uint8Array {
  return "size" in one
    ? new Uint8Array(one.size).fill(one.fill)
    : source.subarray(Math.min(one.from, one.to), Math.max(one.from, one.to));
}

Deno.test("whatever requests fail or lose their answer, an object is whole or absent", async () => {
  let finished = 0, failed = 0, foundAnyway = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.array(outcome, { minLength: 10, maxLength: 40 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      async (pieces, outcomes, partConcurrency, equalParts) => {
        const double = createS3Double({ smallestPart: partBytes, equalParts });
        double.objects.set("s", { bytes: source, etag: "e", type: "t", at: new Date() });
        let next = 0;
        double.intercept = (request) => {
          const what = outcomes[next++] ?? "done";
          if (what === "refused") return s3Error(503, "SlowDown");
          if (what !== "done") {
            if (what === "lost") double.respond(request);
            throw new TypeError("connection reset");
          }
          return undefined;
        };
        const store = createS3Store({
          endpoint: "https://s3.test",
          bucket: "b",
          accessKeyId: "id",
          secretAccessKey: "secret",
          fetch: double.fetch,
          partBytes,
          partConcurrency,
          equalParts,
          partTries: { waitMs: 0 },
        });
        const expected = pieces.flatMap((one) => [...bytesOf(one)]);
        const stored = () => double.objects.get("k") && [...double.objects.get("k")!.bytes];
        const upload = await store.startUpload!("k");
        try {
          for (const one of pieces) {
            if ("size" in one) await upload.write(bytesOf(one));
            else {
              const start = Math.min(one.from, one.to), length = bytesOf(one).length;
              const range = { key: "s", etag: "e", start, length };
              if (!await upload.copyFrom(range)) await upload.write(bytesOf(one));
            }
            assert.ok(upload.heldBytes <= (partConcurrency + 1) * partBytes);
            assert.equal(stored(), undefined, "it was there before it was finished");
          }
          const { size, etag } = await upload.finish();
          assert.deepEqual(stored(), expected);
          assert.deepEqual([size, etag], [expected.length, double.objects.get("k")!.etag]);
          finished++;
        } catch (thrown) {
          if (!(thrown instanceof SedimentError)) throw thrown;
          assert.equal(thrown.code, "store_failed", thrown.message);
          if (stored() !== undefined) {
            assert.deepEqual(stored(), expected);
            foundAnyway++;
          }
          double.intercept = undefined;
          await upload.abort();
          failed++;
        }
        const left = [...double.uploads.values()].filter(({ parts }) => parts.size > 0);
        assert.deepEqual(left, [], "parts were left behind");
      },
    ),
    { numRuns: 400 },
  );
  // Seen to happen, so that none of the cases above is empty.
  assert.ok(finished > 50 && failed > 20 && foundAnyway > 0, `${[finished, failed, foundAnyway]}`);
});
