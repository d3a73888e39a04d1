import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { checkSlices } from "../../shared/uploads/check_slices.ts";
import type { UploadRequest } from "../../shared/uploads/upload_request.ts";

Deno.test("a footer that would take longer to parse than a check may is refused before it is parsed", async () => {
  const body = new Uint8Array(14_000_000);
  new DataView(body.buffer).setUint32(body.length - 8, body.length - 12, true);
  body.set(new TextEncoder().encode("PAR1"), body.length - 4);
  const request = {
    slices: [{ table: "t", start: 0, length: body.length, format: "parquet", rows: undefined }],
    concatenated: false,
    periodTag: "p",
    contentHash: "0".repeat(64),
  } as unknown as UploadRequest;
  let parsed = 0;
  const inspect = () => {
    parsed++;
    throw new Error("parsed");
  };
  await assert.rejects(
    checkSlices({ inspect }, request, body, "a"),
    ({ code, extra }: SedimentError) =>
      code === "check_too_costly" && extra?.footer_bytes === body.length - 12,
  );
  assert.equal(parsed, 0);
});
