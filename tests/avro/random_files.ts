/**
 * Random Avro schemas with values for them, and what DuckDB must read after the conversion (in the form of
 * `plain` in read_parquet.ts). The expectation is built beside the value, not by the code under test.
 */
import fc from "../support/fast_check.ts";
import { Buffer } from "node:buffer";
import { hex } from "./read_parquet.ts";

/** A value as avsc takes it, and as it must come out. */
interface Pair {
  avro: unknown;
  out: unknown;
}

/** A type: its schema, its values, and how a union that avsc wraps names it. */
interface Shape {
  schema: unknown;
  branch: string;
  value: fc.Arbitrary<Pair>;
}

/** Gives out names, so that no two named types of a schema share one. */
type Names = () => string;

const same = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<Pair> =>
  values.map((value) => ({ avro: value, out: value }));

const int = fc.oneof(fc.integer(), fc.constantFrom(0, -1, 2 ** 31 - 1, -(2 ** 31)));
const least = -(2n ** 63n), most = 2n ** 63n - 1n;
const long = fc.oneof(fc.bigInt(least, most), fc.constantFrom(0n, -1n, least, most));
const string = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("", "\u0000", "€ and 😀", "a".repeat(300)),
);
const bytes = (size?: number) =>
  fc.uint8Array(size === undefined ? { maxLength: 40 } : { minLength: size, maxLength: size });
const blob = (size?: number): fc.Arbitrary<Pair> =>
  bytes(size).map((value) => ({ avro: Buffer.from(value), out: { bytes: hex(value) } }));

/** Shapes without others inside, by a function so that each place has names of its own. */
const leaves: ((name: Names) => Shape)[] = [
  () => ({ schema: "boolean", branch: "boolean", value: same(fc.boolean()) }),
  () => ({ schema: "int", branch: "int", value: same(int) }),
  () => ({ schema: "long", branch: "long", value: same(long) }),
  () => ({ schema: "float", branch: "float", value: same(fc.float()) }),
  () => ({ schema: "double", branch: "double", value: same(fc.double()) }),
  () => ({ schema: "string", branch: "string", value: same(string) }),
  () => ({ schema: "bytes", branch: "bytes", value: blob() }),
  (name) => {
    const id = name();
    return { schema: { type: "fixed", name: id, size: 5 }, branch: id, value: blob(5) };
  },
  (name) => {
    const id = name();
    const symbols = ["RED", "GREEN", "blue", "_4"];
    return {
      schema: { type: "enum", name: id, symbols },
      branch: id,
      value: same(fc.constantFrom(...symbols)),
    };
  },
  () => ({
    schema: { type: "int", logicalType: "date" },
    branch: "int",
    value: fc.integer({ min: -700_000, max: 2_900_000 }).map((avro) => ({
      avro,
      out: { days: avro },
    })),
  }),
  () => ({
    schema: { type: "int", logicalType: "time-millis" },
    branch: "int",
    value: fc.integer({ min: 0, max: 86_400_000 }).map((avro) => ({
      avro,
      out: { timeMicros: BigInt(avro) * 1000n },
    })),
  }),
  () => ({
    schema: { type: "long", logicalType: "time-micros" },
    branch: "long",
    value: fc.bigInt(0n, 86_400_000_000n).map((avro) => ({ avro, out: { timeMicros: avro } })),
  }),
  () => timestamp("timestamp-millis", 10n ** 15n, (millis) => ({ micros: millis * 1000n })),
  () => timestamp("timestamp-micros", 10n ** 18n, (micros) => ({ micros })),
  () => timestamp("local-timestamp-millis", 10n ** 15n, (ms) => ({ localMicros: ms * 1000n })),
  () => timestamp("local-timestamp-micros", 10n ** 18n, (localMicros) => ({ localMicros })),
  () => timestamp("local-timestamp-nanos", most - 1n, (localNanos) => ({ localNanos })),
  () => decimal(4, 2),
  () => decimal(9, 0),
  () => decimal(18, 9),
  () => decimal(25, 3),
  () => decimal(38, 38),
  (name) => decimal(20, 4, name(), 9),
  (name) => decimal(7, 7, name(), 12),
  () => ({
    schema: { type: "string", logicalType: "uuid" },
    branch: "string",
    value: fc.uuid().chain((uuid) =>
      fc.constantFrom(uuid, uuid.toUpperCase()).map((avro) => ({ avro, out: { uuid } }))
    ),
  }),
  (name) => {
    const id = name();
    return {
      schema: { type: "fixed", name: id, size: 16, logicalType: "uuid" },
      branch: id,
      value: fc.uuid().map((uuid) => ({
        avro: Buffer.from(uuid.replaceAll("-", ""), "hex"),
        out: { uuid },
      })),
    };
  },
  (name) => {
    const id = name();
    const part = fc.nat(2 ** 31 - 1);
    return {
      schema: { type: "fixed", name: id, size: 12, logicalType: "duration" },
      branch: id,
      value: fc.tuple(part, part, fc.nat(2 ** 32 - 1)).map(([months, days, millis]) => {
        const avro = Buffer.alloc(12);
        avro.writeUInt32LE(months, 0);
        avro.writeUInt32LE(days, 4);
        avro.writeUInt32LE(millis, 8);
        return { avro, out: { months, days, micros: BigInt(millis) * 1000n } };
      }),
    };
  },
];

function timestamp(logicalType: string, bound: bigint, out: (value: bigint) => unknown): Shape {
  return {
    schema: { type: "long", logicalType },
    branch: "long",
    value: fc.oneof(fc.bigInt(-bound, bound), fc.constantFrom(-1n, 0n, -bound, bound))
      .map((avro) => ({ avro, out: out(avro) })),
  };
}

/** A decimal on bytes, written as short or longer than need be, or on a fixed of `size` bytes. */
function decimal(precision: number, scale: number, name?: string, size?: number): Shape {
  const bound = 10n ** BigInt(precision) - 1n;
  const logical = { logicalType: "decimal", precision, scale };
  const value = fc.oneof(fc.bigInt(-bound, bound), fc.constantFrom(0n, -1n, -bound, bound, 127n))
    .filter((unscaled) => unscaled <= bound);
  return {
    schema: name === undefined
      ? { type: "bytes", ...logical }
      : { type: "fixed", name, size, ...logical },
    branch: name ?? "bytes",
    value: fc.tuple(value, fc.nat(3)).map(([unscaled, longer]) => ({
      avro: Buffer.from(twosComplement(unscaled, size, longer)),
      out: { unscaled, scale },
    })),
  };
}

function twosComplement(value: bigint, size: number | undefined, longer: number): number[] {
  let length = 1;
  while (BigInt.asIntN(length * 8, value) !== value) length++;
  length = size ?? length + longer;
  const bytes: number[] = [];
  for (let rest = value; bytes.length < length; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return bytes;
}

function array(items: Shape): Shape {
  const value = fc.array(items.value, { maxLength: 5 });
  return {
    schema: { type: "array", items: items.schema },
    branch: "array",
    value: value.map((list) => ({
      avro: list.map((pair) => pair.avro),
      out: list.map((pair) => pair.out),
    })),
  };
}

function map(values: Shape): Shape {
  const keys = string.filter((key) => key !== "__proto__");
  return {
    schema: { type: "map", values: values.schema },
    branch: "map",
    value: fc.uniqueArray(fc.tuple(keys, values.value), {
      maxLength: 4,
      selector: ([key]) => key,
    }).map((entries) => {
      const avro = Object.fromEntries(entries.map(([key, pair]) => [key, pair.avro]));
      const out = new Map(entries.map(([key, pair]) => [key, pair.out]));
      // avsc writes an object's keys in JavaScript's order
      return { avro, out: { map: Object.keys(avro).map((key) => [key, out.get(key)]) } };
    }),
  };
}

function struct(fields: Shape[], name: Names): Shape {
  const id = name();
  return {
    schema: {
      type: "record",
      name: id,
      fields: fields.map((field, index) => ({ name: `f${index}`, type: field.schema })),
    },
    branch: id,
    value: fc.tuple(...fields.map((field) => field.value)).map((pairs) => ({
      avro: Object.fromEntries(pairs.map((pair, index) => [`f${index}`, pair.avro])),
      out: Object.fromEntries(pairs.map((pair, index) => [`f${index}`, pair.out])),
    })),
  };
}

const nothing: Pair = { avro: null, out: null };

function nullable(shape: Shape, nullFirst: boolean): Shape {
  return {
    schema: nullFirst ? ["null", shape.schema] : [shape.schema, "null"],
    branch: "",
    value: fc.oneof(
      fc.constant(nothing),
      shape.value.map(({ avro, out }) => ({ avro: { [shape.branch]: avro }, out })),
    ),
  };
}

/** A union that becomes a struct; branches of one name are dropped. */
function union(shapes: Shape[], withNull: boolean): Shape {
  const taken = new Set<string>();
  const kept = shapes.filter(({ branch }) =>
    branch !== "" && !taken.has(branch) && taken.add(branch)
  );
  if (kept.length === 0) return nullable(shapes[0], true);
  if (kept.length === 1) return nullable(kept[0], true);
  if (kept.length === 2) {
    // int with long and float with double are another rule, tested by itself
    const names = kept.map(({ branch }) => branch).sort().join();
    if (names === "int,long" || names === "double,float") return nullable(kept[0], true);
  }
  const members = (index: number, out: unknown) =>
    Object.fromEntries(kept.map((_, at) => [`member${at}`, at === index ? out : null]));
  const values = kept.map((shape, index) =>
    shape.value.map(({ avro, out }) => ({
      avro: { [shape.branch]: avro },
      out: members(index, out),
    }))
  );
  const schemas = kept.map(({ schema }) => schema);
  return {
    schema: withNull ? [schemas[0], "null", ...schemas.slice(1)] : schemas,
    branch: "",
    value: fc.oneof(...values, ...(withNull ? [fc.constant(nothing)] : [])),
  };
}

type Make = (name: Names) => Shape;

/** A shape of at most so many levels. */
function makes(depth: number): fc.Arbitrary<Make> {
  const leaf = fc.constantFrom(...leaves);
  if (depth === 0) return leaf;
  const inner = makes(depth - 1);
  // a union must not stand directly in a union
  const noUnion = (make: Make): Make => (name) => {
    const shape = make(name);
    return shape.branch === "" ? struct([shape], name) : shape;
  };
  return fc.oneof(
    { weight: 4, arbitrary: leaf },
    { weight: 2, arbitrary: inner.map((make): Make => (name) => array(make(name))) },
    { weight: 1, arbitrary: inner.map((make): Make => (name) => map(make(name))) },
    {
      weight: 2,
      arbitrary: fc.array(inner, { minLength: 1, maxLength: 4 }).map((list): Make => (name) =>
        struct(list.map((make) => make(name)), name)
      ),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(inner, fc.boolean()).map(([make, first]): Make => (name) =>
        nullable(noUnion(make)(name), first)
      ),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.array(inner, { minLength: 2, maxLength: 4 }), fc.boolean()).map((
        [list, withNull],
      ): Make =>
      (name) => union(list.map((make) => noUnion(make)(name)), withNull)),
    },
  );
}

/** A schema with rows: values for avsc, and the rows that must come out. */
export interface RandomFile {
  schema: unknown;
  values: unknown[];
  expected: unknown[];
}

/** Random files of a record with up to five fields, three levels deep at most below it. */
export function randomFiles(): fc.Arbitrary<RandomFile> {
  return fc.array(makes(3), { minLength: 1, maxLength: 5 }).chain((list) => {
    let count = 0;
    const name = () => `T${count++}`;
    const root = struct(list.map((make) => make(name)), name);
    return fc.array(root.value, { maxLength: 30 }).map((pairs) => ({
      schema: root.schema,
      values: pairs.map((pair) => pair.avro),
      expected: pairs.map((pair) => pair.out),
    }));
  });
}
