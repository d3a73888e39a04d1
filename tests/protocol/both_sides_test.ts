import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { assetFieldsSchema } from "../../shared/protocol/asset.ts";
import { hiddenRanges, isAssetPath } from "../../shared/protocol/asset_path.ts";
import { uploadFieldsSchema } from "../../shared/protocol/upload.ts";
import { validate } from "../../shared/protocol/validate.ts";
import { checkMeta, type UploadMetaInput } from "../../shared/uploader/upload_meta.ts";
import { uploadRequestOf } from "../../shared/uploads/upload_request.ts";
import { type Answer, cuts, datasetId, fragments, paths } from "./cases.ts";

const hash = "ab".repeat(32);

function answerOf(ask: () => unknown): Answer {
  try {
    ask();
    return null;
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    assert.ok(error.expected, `${error.field} says nothing of what was expected`);
    return [error.code, error.field!];
  }
}

const clientOf = (meta: unknown) => answerOf(() => checkMeta(meta as UploadMetaInput));

function bothOnFragment(fields: Record<string, unknown>): [client: Answer, service: Answer] {
  const described = { dataset_id: datasetId, table: "battles", ...fields };
  return [
    clientOf({ kind: "fragment", ...described }),
    answerOf(() => {
      const size = { file_size: 1280, content_hash: hash };
      uploadRequestOf(validate(uploadFieldsSchema, { ...described, ...size }));
    }),
  ];
}

function bothOnAsset(fields: Record<string, unknown>): [client: Answer, service: Answer] {
  const described = { key: "a.png", relative_path: "a.png", file_name: "a.png", ...fields };
  return [
    clientOf({ kind: "asset", ...described }),
    answerOf(() => validate(assetFieldsSchema, { ...described, file_size: 1, content_hash: hash })),
  ];
}

Deno.test("the uploader and the service answer each question about a fragment alike", () => {
  for (const [what, fields, answer] of fragments) {
    assert.deepEqual(bothOnFragment(fields), [answer, answer], what);
  }
  for (const [what, table_offsets, answer] of cuts) {
    assert.deepEqual(bothOnFragment({ table_offsets }), [answer, answer], what);
  }
});

Deno.test("the uploader and the service answer each question about an asset's paths alike", () => {
  for (const [what, path, taken] of paths) {
    for (const field of ["key", "relative_path"]) {
      const answer: Answer = taken ? null : ["invalid_name", field];
      assert.deepEqual(bothOnAsset({ [field]: path }), [answer, answer], `${field} of ${what}`);
    }
    if (path.includes("/")) continue;
    const answer: Answer = taken ? null : ["invalid_name", "file_name"];
    assert.deepEqual(bothOnAsset({ file_name: path }), [answer, answer], `file name of ${what}`);
  }
  // A name with folders: the uploader takes its last part, as it does with a path of the caller's machine.
  const [client, service] = bothOnAsset({ file_name: "a/b.png" });
  assert.deepEqual([client, service], [null, ["invalid_name", "file_name"]]);
});

Deno.test("paths of Windows and macOS reach the service as it takes them", () => {
  const meta = checkMeta({
    kind: "asset",
    key: "kcs2\\win\\か\u3099.png",
    relative_path: "kcs2/win/が.png",
    file_name: "C:\\kcs2\\win\\a.png",
  });
  assert.ok(meta.kind === "asset");
  assert.deepEqual(
    [meta.key, meta.relative_path, meta.file_name],
    ["kcs2/win/が.png", "kcs2/win/が.png", "a.png"],
  );
  const size = { file_size: 1, content_hash: hash };
  assert.equal(answerOf(() => validate(assetFieldsSchema, { ...meta, ...size })), null);
});

Deno.test("each end of each hidden range is refused, and its neighbours are not for being hidden", () => {
  const refused = (code: number) => !isAssetPath(`a${String.fromCodePoint(code)}b`);
  for (const [first, last] of hiddenRanges) {
    assert.ok(refused(first), first.toString(16));
    assert.ok(refused(last), last.toString(16));
  }
  const category = /^[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]$/u;
  for (let code = 0; code <= 0x10ffff; code++) {
    if (category.test(String.fromCodePoint(code))) assert.ok(refused(code), code.toString(16));
  }
});
