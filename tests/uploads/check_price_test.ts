import { strict as assert } from "node:assert";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { assumeHostLimits } from "../support/host_limits.ts";
import { SedimentError } from "../../shared/errors.ts";
import { inspectParquetBytes } from "../../shared/parquet/inspect/inspect.ts";
import { CheckAccount, checkBudget, checkCpuMs } from "../../shared/uploads/check_price.ts";

const MiB = 1024 * 1024;

/** A well-formed file whose pages honestly declare what they unpack to: zeros. */
function bomb(codec: "BROTLI" | "GZIP", groups: number, pageBytes: number): Uint8Array {
  let packed: Uint8Array | undefined;
  const compress = codec === "GZIP" ? gzipSync : brotliCompressSync;
  const column = {
    name: "b",
    data: Array.from({ length: groups }, () => new Uint8Array(pageBytes - 4)),
    type: "BYTE_ARRAY" as const,
    nullable: false,
    encoding: "PLAIN" as const,
  };
  return new Uint8Array(parquetWriteBuffer({
    columnData: [column],
    codec,
    compressors: { [codec]: (bytes: Uint8Array) => packed ??= new Uint8Array(compress(bytes)) },
    rowGroupSize: 1,
    statistics: false,
  }));
}

function refusal(bytes: Uint8Array): SedimentError {
  try {
    new CheckAccount().add(inspectParquetBytes(bytes));
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    return error;
  }
  return assert.fail("the file was taken on");
}

Deno.test("pages that unpack to a hundred thousand times their bytes are refused with the figures", () => {
  using _host = assumeHostLimits({ gzip: true, brotli: true });
  const { code, extra } = refusal(bomb("BROTLI", 60, 4 * MiB));
  assert.equal(code, "check_too_costly");
  assert.equal(extra?.pages, 60);
  assert.equal(extra?.row_groups, 60);
  assert.equal(extra?.decoded_bytes, 60 * 4 * MiB);
  assert.equal(extra?.max_check_ms, checkBudget.cpuMs);
  assert.ok(Number(extra?.check_ms) > checkBudget.cpuMs);
});

Deno.test("what a slower host can't unpack in the time is refused there, and taken where it can", () => {
  const bytes = bomb("GZIP", 12, 4 * MiB);
  {
    using _slow = assumeHostLimits({ gzip: false, brotli: false });
    assert.equal(refusal(bytes).code, "check_too_costly");
  }
  using _host = assumeHostLimits({ gzip: true, brotli: true });
  assert.ok(new CheckAccount().add(inspectParquetBytes(bytes)) < checkBudget.cpuMs);
});

Deno.test("slices of one request are priced together", () => {
  using _host = assumeHostLimits({ gzip: true, brotli: true });
  const facts = inspectParquetBytes(bomb("GZIP", 4, 4 * MiB));
  const account = new CheckAccount();
  const each = checkCpuMs(facts);
  const fit = Math.floor(checkBudget.cpuMs / each);
  assert.ok(fit > 1);
  for (let n = 0; n < fit; n++) account.add(facts);
  assert.throws(() => account.add(facts), { code: "check_too_costly" });
});

Deno.test("a page that would be there three times in more memory than a check may take is refused", () => {
  using _host = assumeHostLimits({ gzip: true, brotli: false });
  const { code, extra } = refusal(bomb("GZIP", 1, 33 * MiB));
  assert.equal(code, "check_too_costly");
  assert.equal(extra?.page_bytes, 33 * MiB);
  // where brotli is not unpacked it takes nothing
  assert.ok(new CheckAccount().add(inspectParquetBytes(bomb("BROTLI", 1, 33 * MiB))) > 0);
});

Deno.test("names that are short as stored and long as text are refused by the text", () => {
  const names = Array.from({ length: 60 }, (_, n) => `${n}_${"\u0001".repeat(4000)}`);
  const bytes = new Uint8Array(parquetWriteBuffer({
    columnData: names.map((name) => ({ name, data: [1], type: "INT32" as const })),
    codec: "UNCOMPRESSED",
  }));
  const { code, extra } = refusal(bytes);
  assert.equal(code, "check_too_costly");
  assert.ok(Number(extra?.schema_chars) > 60 * 4000 * 6);
});

Deno.test("eight megabytes of what writers make are far within the budget", () => {
  const data = Float64Array.from({ length: MiB }, () => Math.random());
  for (const codec of ["UNCOMPRESSED", "SNAPPY"] as const) {
    const bytes = new Uint8Array(parquetWriteBuffer({
      // deno-lint-ignore no-explicit-any -- its types know no typed arrays
      columnData: [{ name: "n", data: data as any, type: "DOUBLE" }],
      codec,
    }));
    assert.ok(bytes.length > 8 * 1000 * 1000);
    assert.ok(new CheckAccount().add(inspectParquetBytes(bytes)) < checkBudget.cpuMs / 10);
  }
});
