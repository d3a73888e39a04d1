import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { mostPlaces, packStats, unpackStats } from "../../shared/catalog/packed_stats.ts";

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

/** A schema of columns of these names. */
const schemaOf = (names: string[]) => ({ name: "root", children: names.map((name) => ({ name })) });

// by entries: Deno 2.1 compares what objects have as their constructor
const entries = (unpacked: unknown) => Object.entries(unpacked as object);

Deno.test("bounds are unpacked as they were packed, by the places of their columns and by their names", () => {
  const names = ["before", ...Object.keys(stats), "after"];
  const byPlace = packStats(stats, schemaOf(names));
  assert.ok(byPlace.startsWith("["));
  assert.deepEqual(entries(unpackStats(byPlace, names)), entries(stats));
  assert.deepEqual(entries(unpackStats(packStats(stats))), entries(stats));
  assert.deepEqual(entries(unpackStats(packStats({}, schemaOf(names)), names)), []);
});

Deno.test("bounds without nulls take no more than values", () => {
  assert.equal(
    packStats({ id: stats.id, note: stats.note }, schemaOf(["id", "list", "note", "other"])),
    '[[0,39],0,["a \\"b\\"","é",3]]',
  );
});

Deno.test("columns stand by name where a list of files would not name them all, or not in a few bytes", () => {
  const names = Array.from({ length: mostPlaces + 1 }, (_, n) => `c${n}`);
  const last = { [names.at(-1)!]: stats.id }, first = { [names[0]]: stats.id };
  assert.equal(packStats(last, schemaOf(names)), `{"c${mostPlaces}":[0,39]}`);
  assert.equal(packStats(first, schemaOf(names)), "[[0,39]]");
  const long = "n".repeat(20_000);
  assert.equal(packStats({ [long]: stats.id }, schemaOf([long])), `{"${long}":[0,39]}`);
});

Deno.test("a bound at a place of which the name is not known is left out, and takes no other's name", () => {
  const packed = packStats(stats, schemaOf(Object.keys(stats)));
  assert.deepEqual(entries(unpackStats(packed)), []);
  assert.deepEqual(entries(unpackStats(packed, ["id"])), [["id", stats.id]]);
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
