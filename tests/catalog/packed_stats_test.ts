import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { packStats, unpackStats } from "../../shared/catalog/packed_stats.ts";

const stats = {
  id: { min: 0, max: 39, nulls: 0 },
  note: { min: 'a "b"', max: "é", nulls: 3 },
  flag: { min: false, max: true, nulls: 0 },
  large: { min: "-9223372036854775808", max: "9223372036854775807", nulls: 0 },
  unknown: { min: 1.5, max: 2.5 },
  empty: { nulls: 5 },
  none: { nulls: 0 },
  constructor: { min: 1, max: 1, nulls: 0 },
};

Deno.test("bounds are unpacked as they were packed", () => {
  // by entries: Deno 2.1 compares what objects have as their constructor
  assert.deepEqual(Object.entries(unpackStats(packStats(stats)) as object), Object.entries(stats));
  assert.deepEqual({ ...unpackStats(packStats({})) as object }, {});
});

Deno.test("bounds without nulls take no more than names and values", () => {
  assert.equal(
    packStats({ id: stats.id, note: stats.note }),
    '{"id":[0,39],"note":["a \\"b\\"","é",3]}',
  );
});

Deno.test("rows of before are given as they are", () => {
  assert.deepEqual(unpackStats({ id: { min: 1 } }), { id: { min: 1 } });
  assert.equal(unpackStats(null), null);
});

Deno.test("fractions are rounded outwards, to seven digits", () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
    const { x } = unpackStats(packStats({ x: { min: value, max: value, nulls: 0 } })) as {
      x: { min: number; max: number };
    };
    assert.ok(x.min <= value && value <= x.max, `${x.min} ${value} ${x.max}`);
    const near = Math.abs(value) * 2e-6 + Number.MIN_VALUE;
    assert.ok(x.max - value <= near && value - x.min <= near, `${x.min} ${value} ${x.max}`);
  }));
  assert.equal(
    packStats({ x: { min: 0.123456789, max: 0.9712540862377412, nulls: 0 } }),
    '{"x":[0.1234567,0.9712541]}',
  );
  const largest = { x: { min: -Number.MAX_VALUE, max: Number.MAX_VALUE, nulls: 0 } };
  assert.deepEqual({ ...unpackStats(packStats(largest)) as object }, largest);
});
