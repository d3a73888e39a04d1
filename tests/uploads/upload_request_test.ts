import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { SedimentError } from "../../shared/errors.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { maxSlices } from "../../shared/protocol/slices.ts";
import { uploadFieldsSchema } from "../../shared/protocol/upload.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";

const good = {
  dataset_id: "7E57D004-2B97-4E7A-B45F-5387367791CD",
  table: "battles",
  period_tag: "2024-11-25",
  file_size: 1000,
  content_hash: "AB".repeat(32),
};
const slice = { table_name: "a", start_byte: 0, byte_length: 10, format: "parquet" };

const read = (some: Record<string, unknown>) =>
  uploadRequestOf(validate(uploadFieldsSchema, { ...good, ...some }));

function refusal(some: Record<string, unknown>): [string, string | undefined] {
  try {
    read(some);
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    assert.ok(error.expected, `${error.field} says nothing of what was expected`);
    return [error.code, error.field];
  }
  return ["taken", undefined];
}

Deno.test("ids and hashes are lower-cased, and a body without offsets is one slice", () => {
  assert.deepEqual(read({}), {
    datasetId: "7e57d004-2b97-4e7a-b45f-5387367791cd",
    table: "battles",
    periodTag: "2024-11-25",
    size: 1000,
    contentHash: "ab".repeat(32),
    slices: [{ table: "battles", start: 0, length: 1000, format: "parquet" }],
    concatenated: false,
  });
});

Deno.test("what clients in the field send is taken", () => {
  const { period_tag: _, ...without } = good;
  const offsets = JSON.stringify([{ ...slice, num_rows: 3 }, { ...slice, start_byte: 10 }]);
  const request = uploadRequestOf(validate(uploadFieldsSchema, {
    ...without,
    kc_period_tag: "2024-12-02",
    file_size: "1000",
    table_offsets: offsets,
    path: "battle_data/whatever",
    binary: true,
    something_new: { deep: [1] },
  }));
  assert.equal(request.periodTag, "2024-12-02");
  assert.equal(request.size, 1000);
  assert.deepEqual(request.slices, [
    { table: "a", start: 0, length: 10, format: "parquet", rows: 3 },
    { table: "a", start: 10, length: 10, format: "parquet" },
  ]);
  assert.equal(request.concatenated, true);
  assert.equal(uploadRequestOf(validate(uploadFieldsSchema, without)).periodTag, "0");
});

Deno.test("each bad field is refused by name", () => {
  const cases: [Record<string, unknown>, string, string][] = [
    [{ dataset_id: "1" }, "invalid_request", "dataset_id"],
    [{ dataset_id: undefined }, "invalid_request", "dataset_id"],
    [{ content_hash: "ab" }, "invalid_request", "content_hash"],
    [{ content_hash: "g".repeat(64) }, "invalid_request", "content_hash"],
    [{ file_size: -1 }, "invalid_request", "file_size"],
    [{ file_size: 1.5 }, "invalid_request", "file_size"],
    [{ file_size: "1e3" }, "invalid_request", "file_size"],
    [{ file_size: 2 ** 60 }, "invalid_request", "file_size"],
    [{ file_size: null }, "invalid_request", "file_size"],
    [{ file_size: 0 }, "empty_file", "file_size"],
    [{ format: "csv" }, "invalid_request", "format"],
    [{ kc_period_tag: "2024-12-02" }, "invalid_request", "kc_period_tag"],
  ];
  for (const [some, code, field] of cases) {
    assert.deepEqual(refusal(some), [code, field], JSON.stringify(some));
  }
});

Deno.test("names outside of the alphabet are refused, whatever the trick", () => {
  const tricks = [
    "",
    "a".repeat(65),
    "../x",
    "a/b",
    "a.b",
    "a b",
    "a\n",
    "a\u0000",
    "é",
    "ａ",
    "a\u200d",
    "٣",
    "a;drop table",
    "%2e%2e",
  ];
  for (const name of [...tricks, 5, null, ["a"], { toString: "a" }]) {
    assert.deepEqual(refusal({ table: name }), ["invalid_name", "table"], JSON.stringify(name));
    assert.deepEqual(refusal({ period_tag: name }), ["invalid_name", "period_tag"]);
  }
  assert.deepEqual(refusal({ table: "A-z_09", period_tag: "a".repeat(64) }), ["taken", undefined]);
});

Deno.test("each bad offset is refused with its place", () => {
  const cases: [unknown, string][] = [
    ["not json", "table_offsets"],
    ["{}", "table_offsets"],
    [5, "table_offsets"],
    [[], "table_offsets"],
    ["[]", "table_offsets"],
    [Array(maxSlices + 1).fill(slice), "table_offsets"],
    [Array(10_000).fill(slice), "table_offsets"],
    [[null], "table_offsets[0]"],
    [[{ ...slice, start_byte: 0.5 }], "table_offsets[0].start_byte"],
    [[{ ...slice, start_byte: -1 }], "table_offsets[0].start_byte"],
    [[{ ...slice, start_byte: "0" }], "table_offsets[0].start_byte"],
    [[{ ...slice, byte_length: 0 }], "table_offsets[0].byte_length"],
    [[{ ...slice, byte_length: 2 ** 60 }], "table_offsets[0].byte_length"],
    [[slice, { ...slice, start_byte: 9 }], "table_offsets[1].start_byte"],
    [[{ ...slice, start_byte: 5 }, slice], "table_offsets[0].start_byte"],
    [[{ ...slice, start_byte: 991 }], "table_offsets[0].byte_length"],
    [[{ ...slice, format: "csv" }], "table_offsets[0].format"],
    [[{ ...slice, table_name: "../a" }], "table_offsets[0].table_name"],
    [[{ ...slice, num_rows: -1 }], "table_offsets[0].num_rows"],
  ];
  for (const [offsets, field] of cases) {
    const shown = JSON.stringify(offsets).slice(0, 80);
    assert.deepEqual(refusal({ table_offsets: offsets }), ["invalid_offsets", field], shown);
  }
});

Deno.test("gaps between slices and slices out of order are taken", () => {
  const offsets = [{ ...slice, start_byte: 500 }, { ...slice, start_byte: 100 }];
  assert.deepEqual(read({ table_offsets: offsets }).slices.map(({ start }) => start), [500, 100]);
  assert.deepEqual(refusal({ table_offsets: [{ ...slice, byte_length: 1000 }] }), [
    "taken",
    undefined,
  ]);
});

Deno.test("whatever the offsets, those that are taken lie in the body and never overlap", () => {
  const offset = fc.record({
    table_name: fc.constantFrom("a", "b"),
    start_byte: fc.integer({ min: -2, max: 1005 }),
    byte_length: fc.integer({ min: -2, max: 600 }),
  });
  fc.assert(
    fc.property(fc.array(offset, { maxLength: 4 }), (offsets) => {
      let slices;
      try {
        slices = read({ table_offsets: offsets }).slices;
      } catch (error) {
        assert.equal((error as SedimentError).code, "invalid_offsets");
        return;
      }
      const used = new Uint8Array(1000);
      for (const { start, length } of slices) {
        assert.ok(start >= 0 && length > 0 && start + length <= 1000);
        for (let at = start; at < start + length; at++) assert.equal(++used[at], 1);
      }
    }),
    { numRuns: 500, seed: 20261122 },
  );
});
