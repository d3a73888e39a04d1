import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { checkMeta, identityOf, type UploadMetaInput } from "../../shared/uploader/upload_meta.ts";
import { datasetId, fragment } from "./support/setup.ts";

const asset = (more: Record<string, unknown> = {}): UploadMetaInput => ({
  kind: "asset",
  key: "assets/kcs2/img/a.png",
  relative_path: "kcs2/img/a.png",
  file_name: "a.png",
  ...more,
});

function refusal(input: unknown): SedimentError {
  try {
    checkMeta(input as UploadMetaInput);
  } catch (error) {
    assert.ok(error instanceof SedimentError);
    return error;
  }
  throw new Error(`${JSON.stringify(input)} was taken`);
}

Deno.test("a file that Windows or macOS names has the identity it has on Linux", () => {
  const windows = checkMeta(
    asset({ key: "assets\\kcs2\\img\\が.png", relative_path: "a\\が.png" }),
  );
  const mac = checkMeta(
    asset({ key: "assets/kcs2/img/\u304b\u3099.png", relative_path: "a/\u304b\u3099.png" }),
  );
  const plain = checkMeta(
    asset({ key: "assets/kcs2/img/\u304c.png", relative_path: "a/\u304c.png" }),
  );
  const id = (meta: typeof plain) => identityOf("https://x.test/u", meta, "a".repeat(64));
  assert.equal(id(windows), id(plain));
  assert.equal(id(mac), id(plain));
});

Deno.test("a fragment's file name is its last part, whatever the separators", () => {
  const meta = checkMeta(fragment("t", { file_name: "C:\\data\\2024:11\\battle.parquet" }));
  assert.equal(meta.file_name, "battle.parquet");
});

Deno.test("paths that leave their folder are refused, with the field", () => {
  for (
    const key of ["../x", "a/../../x", "/etc/passwd", "C:\\x", "a//b", "a/./b", "a\0b", "..\\x"]
  ) {
    assert.equal(refusal(asset({ key })).field, "key", key);
  }
});

Deno.test("a wrong name says the field, the value and what was expected", () => {
  const error = refusal(fragment("battle data"));
  assert.equal(error.code, "invalid_name");
  assert.equal(error.field, "table");
  assert.match(error.message, /"battle data"/);
  assert.match(error.expected!, /A-Z a-z 0-9 _ -/);
  assert.equal(refusal(fragment("t", { dataset_id: "nope" })).field, "dataset_id");
  assert.equal(refusal(fragment("t", { colour: "red" })).field, "colour");
  const overlap = [{ table_name: "a", start_byte: -1, byte_length: 1, format: "parquet" }];
  assert.equal(
    refusal(fragment("t", { table_offsets: overlap })).field,
    "table_offsets[0].start_byte",
  );
});

Deno.test("the identity holds everything that makes two uploads two, and nothing else", () => {
  const hash = "a".repeat(64);
  const offsets = (rows: number) => [
    { table_name: "a", start_byte: 0, byte_length: 9, format: "parquet", num_rows: rows },
  ];
  const id = (input: UploadMetaInput, target = "https://x.test/u", contentHash = hash) =>
    identityOf(target, checkMeta(input), contentHash);
  const base = id(fragment());
  assert.equal(id(fragment("battle", { file_name: "x.parquet" })), base);
  assert.equal(id(fragment("battle", { dataset_id: datasetId.toUpperCase() })), base);
  const others = [
    id(fragment("other")),
    id(fragment("battle", { period_tag: "0" })),
    id(fragment("battle", { dataset_id: crypto.randomUUID() })),
    id(fragment(), "https://y.test/u"),
    id(fragment(), undefined, "b".repeat(64)),
    id(fragment("battle", { table_offsets: offsets(1) })),
    id(fragment("battle", { table_offsets: offsets(2) })),
    id(asset()),
    id(asset({ key: "assets/b.png" })),
  ];
  assert.equal(new Set([base, ...others]).size, others.length + 1);
});
