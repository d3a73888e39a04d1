import { strict as assert } from "node:assert";
import fc from "../../support/fast_check.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { ThriftReader } from "../../../shared/parquet/format/thrift/thrift_reader.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { wire } from "../../../shared/parquet/format/thrift/wire.ts";

Deno.test("every number that is a safe integer comes back as it was written", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => {
    const writer = new ThriftWriter(1);
    writer.i64(1, value);
    writer.end();
    const reader = new ThriftReader(writer.view());
    const type = reader.nextField();
    assert.equal(reader.int64(type), value);
    assert.equal(reader.nextField(), 0);
  }));
});

Deno.test("the varints of the protocol's specification are read as it says", () => {
  // zigzag: 0, -1, 1, -2, 2147483647, -2147483648
  const bytes = new Uint8Array([
    ...[0, 1, 2, 3],
    ...[0xfe, 0xff, 0xff, 0xff, 0x0f],
    ...[0xff, 0xff, 0xff, 0xff, 0x0f],
  ]);
  const reader = new ThriftReader(bytes);
  const numbers = Array.from({ length: 6 }, () => reader.i32());
  assert.deepEqual(numbers, [0, -1, 1, -2, 2147483647, -2147483648]);
});

Deno.test("a number beyond 2^53 is refused, and so is one of eleven bytes", () => {
  const tooLarge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
  assert.throws(() => new ThriftReader(new Uint8Array(tooLarge)).i64(), SedimentError);
  const tooLong = new Uint8Array(11).fill(0x80);
  assert.throws(() => new ThriftReader(tooLong).i64(), SedimentError);
  assert.throws(() => new ThriftReader(tooLong).i32(), SedimentError);
});

Deno.test("a field of another width than the format gives it is refused, and so is one out of its range", () => {
  const read = (bytes: number[], how: (reader: ThriftReader, type: number) => unknown) => {
    const reader = new ThriftReader(new Uint8Array(bytes));
    return how(reader, reader.nextField());
  };
  assert.equal(read([0x14, 1], (r, type) => r.int16(type)), -1);
  assert.throws(() => read([0x14, 1], (r, type) => r.int32(type)), /type 4, 5 was expected/);
  assert.throws(() => read([0x16, 1], (r, type) => r.int32(type)), /type 6, 5 was expected/);
  assert.throws(() => read([0x15, 1], (r, type) => r.int64(type)), /type 5, 6 was expected/);
  assert.throws(() => read([0x15, 1], (r, type) => r.int8(type)), /type 5, 3 was expected/);
  assert.throws(() => read([0x15, 1], (r, type) => r.boolean(type)), SedimentError);
  assert.throws(() => read([0x14, 0x80, 0x80, 4], (r, type) => r.int16(type)), /16 bits/);
  // five bytes of which the last has bits past the 32nd
  assert.throws(() => read([0x15, 255, 255, 255, 255, 31], (r, type) => r.int32(type)), /32 bits/);
  const colours = { name: "colour", bits: 0b101 };
  assert.equal(read([0x15, 4], (r, type) => r.enumeration(type, colours)), 2);
  assert.throws(() => read([0x15, 2], (r, type) => r.enumeration(type, colours)), /colour 1 /);
  assert.throws(() => read([0x15, 1], (r, type) => r.enumeration(type, colours)), /colour -1 /);
});

Deno.test("a field id beyond 16 bits is refused, and the one of parquet-format's extensions is passed over", () => {
  assert.throws(() => new ThriftReader(new Uint8Array([0x05, 0x80, 0x80, 4, 0])).nextField());
  // BinaryProtocolExtensions.md: binary, id 32767 as FF FF 01; and an i32 of field 1 behind it
  const bytes = new Uint8Array([0x08, 0xff, 0xff, 0x01, 2, 7, 7, 0x05, 2, 10, 0]);
  const reader = new ThriftReader(bytes);
  const type = reader.nextField();
  assert.equal(reader.note(0), 0, "it is none of the fields that are known");
  reader.skip(type);
  assert.equal(reader.int32(reader.nextField()), 5);
  assert.equal(reader.fieldId, 1);
});

Deno.test("strings survive, whether they were seen before or not", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 80 })), (texts) => {
      const writer = new ThriftWriter(1);
      writer.list(1, wire.binary, texts.length);
      for (const text of texts) writer.bytesElement(text);
      writer.end();
      for (let round = 0; round < 2; round++) {
        const reader = new ThriftReader(writer.view());
        const count = reader.list(reader.nextField(), wire.binary);
        assert.deepEqual(Array.from({ length: count }, () => reader.string()), texts);
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("a string that begins with a byte order mark keeps it", () => {
  const writer = new ThriftWriter();
  writer.bytesElement("\ufeffid");
  assert.equal(new ThriftReader(writer.view()).string(), "\ufeffid");
});

Deno.test("a Latin-1 byte is not taken for the character that it was cached as", () => {
  const writer = new ThriftWriter();
  writer.bytesElement("é");
  assert.equal(new ThriftReader(writer.view()).string(), "é");
  assert.throws(() => new ThriftReader(new Uint8Array([1, 0xe9])).string(), SedimentError);
});

Deno.test("a list that declares more elements than there are bytes is refused", () => {
  // field 1, list of structs, long form count 2^28
  const bytes = new Uint8Array([0x19, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x01, 0]);
  const reader = new ThriftReader(bytes);
  const type = reader.nextField();
  assert.throws(() => reader.list(type, wire.struct), /more than there are bytes/);
  const skipper = new ThriftReader(bytes);
  assert.throws(() => skipper.skip(skipper.nextField()), /more than there are bytes/);
});

Deno.test("structs nested without end are refused before the stack is used up", () => {
  const bytes = new Uint8Array(1_000_000).fill(0x1c);
  const reader = new ThriftReader(bytes);
  assert.throws(() => reader.skip(wire.struct), /nests deeper/);
  const lists = new ThriftReader(new Uint8Array(1_000_000).fill(0x19));
  assert.throws(() => lists.skip(wire.list), /nests too deeply/);
});

Deno.test("any bytes end in a value or an error that says so", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const reader = new ThriftReader(bytes);
    try {
      reader.skip(wire.struct);
      assert.ok(reader.position <= bytes.length);
    } catch (error) {
      assert.ok(error instanceof SedimentError && error.code === "invalid_parquet");
    }
  }));
});

Deno.test("fields may be far apart and come back under their ids", () => {
  fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 32_000 })), (ids) => {
    ids.sort((a, b) => a - b);
    const writer = new ThriftWriter(1);
    for (const id of ids) {
      writer.begin(id);
      writer.boolean(1, id % 2 === 0);
      writer.end();
    }
    writer.end();
    const reader = new ThriftReader(writer.view());
    for (const id of ids) {
      assert.equal(reader.nextField(), wire.struct);
      assert.equal(reader.fieldId, id);
      const outer = reader.enterStruct();
      assert.equal(reader.boolean(reader.nextField()), id % 2 === 0);
      assert.equal(reader.nextField(), 0);
      reader.leaveStruct(outer);
    }
    assert.equal(reader.nextField(), 0);
  }));
});
