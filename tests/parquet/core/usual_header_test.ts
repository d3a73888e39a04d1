/** The kernels' reader of page headers as most writers write them, beside their reader of any. */
import { strict as assert } from "node:assert";
import fc from "../../support/fast_check.ts";
import { encoding, pageType } from "../../../shared/parquet/format/metadata.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import { HostKernels } from "../../../shared/parquet/kernels/host_kernels.ts";

const MiB = 1024 * 1024;
const kernels = new HostKernels({ memoryBytes: 8 * MiB, pageBytes: MiB, pageValues: MiB });
// parseAnyHeader is exported for the compiler's sake, and the host has no use for it
const wasm = kernels.wasm as typeof kernels.wasm & {
  parseAnyHeader(at: number, end: number): number;
};

/** What a reader tells of a header; `startsWithCrc` goes by the one that looks for the usual first. */
function told(read: () => number) {
  const result = read();
  const { getPageType, getPageEncoding, getPageSize, getPageGrowth } = wasm;
  return {
    result,
    type: getPageType(),
    encoding: getPageEncoding(),
    size: getPageSize(),
    growth: getPageGrowth(),
  };
}

/** Both readers' answers of bytes of which the first `length` are the header's place. */
function bothOf(bytes: Uint8Array, length: number) {
  const at = kernels.input(bytes);
  const any = told(() => wasm.parseAnyHeader(at, at + length));
  // what was left of another header must not shine through
  wasm.parseAnyHeader(at, at);
  const first = told(() => wasm.startsWithCrc(at, length));
  return { any, first };
}

const size = fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1), fc.integer());
const known = fc.constantFrom<number>(...Object.values(encoding), 1, 77);
/** Bounds as writers put them into headers, and none. */
const statistics = fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined });

const header = fc.record({
  type: fc.constantFrom(pageType.DATA_PAGE, pageType.DICTIONARY_PAGE, pageType.DATA_PAGE_V2, 9),
  uncompressed: size,
  compressed: size,
  values: size,
  encodings: fc.tuple(known, known, known),
  sorted: fc.option(fc.boolean(), { nil: undefined }),
  crc: fc.option(fc.integer(), { nil: undefined, freq: 6 }),
  statistics,
});

function bytesOf(one: typeof header extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  const writer = new ThriftWriter(64);
  writer.begin();
  writer.i32(1, one.type);
  writer.i32(2, one.uncompressed);
  writer.i32(3, one.compressed);
  if (one.crc !== undefined) writer.i32(4, one.crc);
  writer.begin(one.type === pageType.DICTIONARY_PAGE ? 7 : 5);
  writer.i32(1, one.values);
  writer.i32(2, one.encodings[0]);
  if (one.type === pageType.DICTIONARY_PAGE) {
    if (one.sorted !== undefined) writer.boolean(3, one.sorted);
  } else {
    writer.i32(3, one.encodings[1]);
    writer.i32(4, one.encodings[2]);
    if (one.statistics !== undefined) {
      writer.begin(5);
      writer.bytes(5, one.statistics);
      writer.end();
    }
  }
  writer.end();
  writer.end();
  return writer.view().slice();
}

Deno.test("the reader of usual headers says what the reader of any says, of whole ones and of such as are cut", () => {
  let accepted = 0;
  fc.assert(
    fc.property(header, fc.nat(60), fc.uint8Array({ maxLength: 4 }), (one, cut, behind) => {
      const bytes = bytesOf(one);
      const all = new Uint8Array([...bytes, ...behind]);
      const { any, first } = bothOf(all, Math.max(0, all.length - (cut < 30 ? 0 : cut - 30)));
      const whole = any.result > 0;
      if (whole) accepted++;
      assert.equal(first.result, whole && one.crc !== undefined ? 1 : 0);
      assert.deepEqual({ ...first, result: 0 }, { ...any, result: 0 });
    }),
    { numRuns: 3000 },
  );
  assert.ok(accepted > 300, `${accepted} were headers`);
});

Deno.test("the reader of usual headers says what the reader of any says of changed bytes", () => {
  fc.assert(
    fc.property(header, fc.nat(40), fc.nat(255), (one, at, byte) => {
      const bytes = bytesOf(one);
      bytes[at % bytes.length] = byte;
      const { any, first } = bothOf(bytes, bytes.length);
      assert.deepEqual({ ...first, result: 0 }, { ...any, result: 0 });
    }),
    { numRuns: 3000 },
  );
});
