/** What files that are small and costly take of the isolate that checks them. Runs on Deno 2.1 too. */
import { strict as assert } from "node:assert";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { checkAlone } from "./check_alone.ts";

const MiB = 1024 * 1024;
const ignore = Deno.build.os !== "linux";

/** Pages that honestly declare what they unpack to: zeros. */
function bomb(groups: number, pageBytes: number): Uint8Array {
  let packed: Uint8Array | undefined;
  return new Uint8Array(parquetWriteBuffer({
    columnData: [{
      name: "b",
      data: Array.from({ length: groups }, () => new Uint8Array(pageBytes - 4)),
      type: "BYTE_ARRAY",
      nullable: false,
      encoding: "PLAIN",
    }],
    codec: "GZIP",
    compressors: { GZIP: (page: Uint8Array) => packed ??= new Uint8Array(gzipSync(page)) },
    rowGroupSize: 1,
    statistics: false,
  }));
}

Deno.test({
  name: "613 KB that unpack to 600 MiB are refused before they are unpacked",
  ignore,
  async fn() {
    const file = bomb(10, 60 * MiB);
    assert.ok(file.length > 600_000 && file.length < 620_000, String(file.length));
    const { code, grown } = await checkAlone(file);
    assert.equal(code, "check_too_costly");
    assert.ok(grown < 64 * MiB, `${grown} bytes`);
  },
});

Deno.test({
  name: "a page as large as one may unpack to is taken within 128 MiB",
  ignore,
  async fn() {
    const { rowCount, grown } = await checkAlone(bomb(1, 23 * MiB));
    assert.equal(rowCount, 1);
    assert.ok(grown < 128 * MiB, `${grown} bytes`);
  },
});

Deno.test({
  name: "613 KB of thousands of row groups are taken within 128 MiB",
  ignore,
  async fn() {
    const data = Array.from({ length: 49_000 }, (_, n) => n);
    const columnData = [{ name: "n", data, type: "INT32" as const }];
    const file = new Uint8Array(
      parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED", rowGroupSize: 10 }),
    );
    assert.ok(file.length > 600_000 && file.length < 630_000, String(file.length));
    const { rowCount, grown } = await checkAlone(file);
    assert.equal(rowCount, 49_000);
    assert.ok(grown < 128 * MiB, `${grown} bytes`);
  },
});
