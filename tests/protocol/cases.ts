/** Questions about what may cross HTTP, with the one answer that the uploader, the functions and SQL must give. */
import type { ErrorCode } from "../../shared/errors.ts";

/** `null`: taken. Otherwise the code and the field of the refusal. */
export type Answer = null | [code: ErrorCode, field: string];

export const datasetId = "7e57d004-2b97-4e7a-b45f-5387367791cd";

const badName = (field: string): Answer => ["invalid_name", field];

/** Names of tables and period tags. */
export const names: [what: string, name: unknown, taken: boolean][] = [
  ["a word", "battles", true],
  ["every kind of character", "A-z_09", true],
  ["one character", "0", true],
  ["64 characters", "a".repeat(64), true],
  ["a name of Object.prototype", "constructor", true],
  ["65 characters", "a".repeat(65), false],
  ["nothing", "", false],
  ["a slash", "a/b", false],
  ["the folder above", "..", false],
  ["a dot", "a.b", false],
  ["a space", "battle data", false],
  ["a line break at the end", "a\n", false],
  ["a letter with an accent", "é", false],
  ["a full-width letter", "ａ", false],
  ["an Arabic digit", "٣", false],
  ["a percent sign", "%2e", false],
];

/** Paths of assets; each is given as the key, the relative path and, without a slash, as the file name. */
export const paths: [what: string, path: string, taken: boolean][] = [
  ["folders", "kcs2/img/ship.png", true],
  ["spaces inside", "a b/c d.png", true],
  ["Japanese", "艦これ/母港.png", true],
  ["an emoji of one character", "😀.png", true],
  ["a name that begins with dots", "a/..b/.c.png", true],
  ["three dots", "a/.../b", true],
  ["a colon further on", "a/b:c", true],
  ["600 characters", "k".repeat(600), true],
  ["1024 bytes", "k".repeat(1024), true],
  ["341 characters of three bytes", "艦".repeat(341), true],
  ["1025 bytes", "k".repeat(1025), false],
  ["342 characters of three bytes", "艦".repeat(342), false],
  ["nothing", "", false],
  ["the folder above", "../x", false],
  ["the folder above, inside", "a/../../x", false],
  ["this folder", "a/./b", false],
  ["an empty segment", "a//b", false],
  ["a slash first", "/etc/passwd", false],
  ["a slash last", "a/", false],
  ["a drive of Windows", "C:/x", false],
  ["a full-width drive", "Ｃ：/x", false],
  ["full-width dots", "a/．．/b", false],
  ["a two-dot leader", "a/‥/b", false],
  ["dots within white space", "a/ .. /b", false],
  ["dots within wide white space", "a/\u3000..\u3000/b", false],
  ["a segment of white space", "a/ /b", false],
  ["a segment of Ogham space", "a/\u1680/b", false],
  ["a full-width slash", "a／b", false],
  ["a full-width backslash", "a＼b", false],
  ["a NUL", "a\0b", false],
  ["a tab", "a\tb", false],
  ["a soft hyphen", "a\u00adb", false],
  ["a zero-width space", "a\u200bb", false],
  ["a zero-width joiner", "👩\u200d👧.png", false],
  ["a direction override", "a\u202eb", false],
  ["a line separator", "a\u2028b", false],
  ["a byte order mark", "\ufeffa", false],
  ["a private character", "a\ue000b", false],
  ["a tag character", "a\u{e0041}b", false],
];

/** A slice of {@link cuts}. */
export interface Place {
  table_name: string;
  start_byte: number;
  byte_length: number;
  format: "parquet" | "avro";
  num_rows?: number;
}

const place = (start_byte: number, byte_length = 10, more: Partial<Place> = {}): Place => ({
  table_name: "t",
  start_byte,
  byte_length,
  format: "parquet",
  ...more,
});

/** How a body of 1,280 bytes is cut. */
export const cuts: [what: string, table_offsets: Place[], answer: Answer][] = [
  ["128 slices", Array.from({ length: 128 }, (_, n) => place(10 * n)), null],
  ["a gap, and another order", [place(500), place(100)], null],
  ["an Avro slice of no rows", [place(0, 10, { format: "avro", num_rows: 0 })], null],
  ["129 slices", Array.from({ length: 129 }, (_, n) => place(9 * n, 9)), [
    "invalid_offsets",
    "table_offsets",
  ]],
  ["no slices", [], ["invalid_offsets", "table_offsets"]],
  ["two slices that overlap", [place(0), place(9)], [
    "invalid_offsets",
    "table_offsets[1].start_byte",
  ]],
  ["two slices in one place", [place(0), place(0)], [
    "invalid_offsets",
    "table_offsets[1].start_byte",
  ]],
  ["a slice before the body", [place(-1)], ["invalid_offsets", "table_offsets[0].start_byte"]],
  ["a slice of nothing", [place(0, 0)], ["invalid_offsets", "table_offsets[0].byte_length"]],
  ["half a byte", [place(0.5)], ["invalid_offsets", "table_offsets[0].start_byte"]],
  ["rows below none", [place(0, 10, { num_rows: -1 })], [
    "invalid_offsets",
    "table_offsets[0].num_rows",
  ]],
  ["a table that leaves its folder", [place(0, 10, { table_name: "../a" })], [
    "invalid_offsets",
    "table_offsets[0].table_name",
  ]],
];

/** Fields of a fragment beside its offsets. */
export const fragments: [what: string, fields: Record<string, unknown>, answer: Answer][] = [
  ["a UUID in capitals", { dataset_id: datasetId.toUpperCase() }, null],
  ["no UUID", { dataset_id: "1" }, ["invalid_request", "dataset_id"]],
  ["a UUID in braces", { dataset_id: `{${datasetId}}` }, ["invalid_request", "dataset_id"]],
  ["Avro", { format: "avro" }, null],
  ["another format", { format: "csv" }, ["invalid_request", "format"]],
  ...names.flatMap(([what, name, taken]): [string, Record<string, unknown>, Answer][] => [
    [`a table named by ${what}`, { table: name }, taken ? null : badName("table")],
    [`a period named by ${what}`, { period_tag: name }, taken ? null : badName("period_tag")],
  ]),
];
