import { strict as assert } from "node:assert";
import { Cursor } from "../../shared/avro/cursor.ts";
import { join, long } from "./avro_writer.ts";
import { fault } from "./codec/samples.ts";

function on(...parts: ArrayLike<number>[]): Cursor {
  return new Cursor(join(...parts));
}

Deno.test("longs are read over the whole of 64 bits", () => {
  const values = [0n, -1n, 1n, 63n, -64n, 64n, -65n, 2n ** 31n, -(2n ** 32n), 2n ** 53n + 1n];
  for (let bit = 0n; bit < 63n; bit++) values.push(2n ** bit, -(2n ** bit), 2n ** bit - 1n);
  for (const value of [...values, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const cursor = on(long(value), [0x55]);
    cursor.readLong();
    const read = (BigInt(cursor.high) << 32n) | BigInt(cursor.low >>> 0);
    assert.equal(read, value);
    assert.equal(cursor.remaining, 1);
    assert.equal(on(long(value)).readCount(), Number(value));
  }
});

Deno.test("ints are read over the whole of 32 bits and no further", () => {
  for (const value of [0, -1, 63, -64, 64, 2 ** 14, -(2 ** 20), 2 ** 31 - 1, -(2 ** 31)]) {
    assert.equal(on(long(value)).readInt(), value);
  }
  assert.match(fault("invalid_avro", () => on(long(2 ** 31)).readInt()), /32 bits/);
  assert.match(fault("invalid_avro", () => on(long(-(2 ** 31) - 1)).readInt()), /32 bits/);
});

Deno.test("varints that are longer than need be are read, those without an end are not", () => {
  assert.equal(on([0x82, 0x80, 0x80, 0x80, 0x00]).readInt(), 1);
  const padded = on([0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
  padded.readLong();
  assert.equal(padded.low, 1);
  // AVRO-4304, long_varint_non_terminating and int_varint_non_terminating
  const endless = new Array(11).fill(0x80);
  assert.match(fault("invalid_avro", () => on(endless).readLong()), /64 bits/);
  assert.match(fault("invalid_avro", () => on(endless).readInt()), /32 bits/);
  assert.match(fault("invalid_avro", () => on(new Array(9).fill(0x80), [2]).readLong()), /64 bits/);
});

Deno.test("nothing is read past the end", () => {
  for (const step of ["readByte", "readInt", "readLong", "readCount", "readLength"] as const) {
    assert.match(fault("invalid_avro", () => on([])[step]()), /end within/);
    if (step !== "readByte") assert.match(fault("invalid_avro", () => on([0x80])[step]()), /end/);
  }
  assert.match(fault("invalid_avro", () => on([1, 2]).take(3)), /end within/);
});

Deno.test("lengths must not be negative and must lie within what is left", () => {
  assert.match(fault("invalid_avro", () => on([1]).readLength()), /negative/);
  assert.match(fault("invalid_avro", () => on(long(3), [1, 2]).readLength()), /passes the end/);
  assert.match(fault("invalid_avro", () => on(long(2n ** 62n), [1]).readLength()), /passes/);
  assert.equal(on(long(2), [1, 2]).readLength(), 2);
});

Deno.test("a negative block count brings its size, and both are held against what is left", () => {
  const cursor = on(long(-3), long(6), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(cursor.readBlockCount(2), 3);
  assert.equal(cursor.blockEnd, 8);
  assert.equal(on(long(0)).readBlockCount(1), 0);
  assert.match(
    fault("invalid_avro", () => on(long(-3), long(6), [1, 2, 3]).readBlockCount(1)),
    /passes the end/,
  );
  assert.match(fault("invalid_avro", () => on(long(4), [1, 2, 3]).readBlockCount(1)), /do not fit/);
  // AVRO-4304, array_block_count_int64_min: its absolute value is no long
  const least = on(long(-(2n ** 63n)), [2, 2]);
  assert.match(fault("invalid_avro", () => least.readBlockCount(0)), /-2\^63/);
});
