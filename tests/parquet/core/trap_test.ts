/** A trap of the kernels, which no file should be able to cause: it costs that file alone. */
import { strict as assert } from "node:assert";
import { checkValues } from "../../../shared/parquet/inspect/check_values.ts";
import { inspectParquetBytes } from "../../../shared/parquet/inspect/inspect.ts";
import { mergeBytes, paths } from "./merge_bytes.ts";
import { rowsOfBytes, writeWithDuckDb } from "../sample_files.ts";

const mark = "this file traps";

function isMarked(bytes: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(mark);
}

/**
 * Runs with kernels that trap behind what they are given of a marked file, and have written nonsense all over their
 * heap by then.
 */
async function withTraps(run: () => Promise<void>): Promise<number> {
  const { Instance } = WebAssembly;
  let traps = 0;
  const trap = (memory: WebAssembly.Memory) => {
    traps++;
    new Uint8Array(memory.buffer).fill(0xa5, 64 * 1024);
    throw new WebAssembly.RuntimeError("unreachable");
  };
  WebAssembly.Instance = class {
    exports: Record<string, unknown>;
    constructor(module: WebAssembly.Module, imports: WebAssembly.Imports) {
      const { exports } = new Instance(module, imports);
      this.exports = { ...exports };
      if (exports.appendPages === undefined) return; // another module's
      const memory = exports.memory as WebAssembly.Memory;
      const appendPages = exports.appendPages as (...args: number[]) => number;
      const appendGroup = exports.appendGroup as (...args: number[]) => number;
      this.exports.appendPages = (
        column: number,
        at: number,
        length: number,
        ...rest: number[]
      ) => {
        const result = appendPages(column, at, length, ...rest);
        return isMarked(new Uint8Array(memory.buffer, at, length)) ? trap(memory) : result;
      };
      this.exports.appendGroup = (...args: number[]) => {
        const result = appendGroup(...args);
        return isMarked(new Uint8Array(memory.buffer, args[4], 2000)) ? trap(memory) : result;
      };
    }
  } as unknown as typeof WebAssembly.Instance;
  try {
    await run();
  } finally {
    WebAssembly.Instance = Instance;
  }
  return traps;
}

const fileOf = (from: number, text: string) =>
  writeWithDuckDb(
    `select '${text} ' || i as s, i as n, [i, i + 1] as l from range(${from}, ${from + 300}) r(i)`,
    "format parquet, compression uncompressed, row_group_size 100",
  );

const order = { sort: [{ path: ["n"], descending: true }] };

for (const [way, settings] of Object.entries(paths)) {
  for (const sorted of way === "as one transaction" ? [false, true] : [false]) {
    Deno.test(`a file that traps ${way}${sorted ? ", to be sorted," : ""} is left out, and the rows of the others are whole`, async () => {
      const good = [await fileOf(0, "one"), await fileOf(300, "two"), await fileOf(600, "three")];
      const bad = await fileOf(900, mark);
      assert.ok(isMarked(bad));
      const traps = await withTraps(async () => {
        const { result, output } = await mergeBytes(
          [good[0], good[1], bad, good[2], bad],
          1500,
          { settings },
          "snappy",
          sorted ? order : undefined,
        );
        assert.deepEqual(result.merged, ["file0", "file1", "file3"]);
        assert.deepEqual(result.rejected.map(({ id, error }) => [id, error.code]), [
          ["file2", "unsupported_parquet"],
          ["file4", "unsupported_parquet"],
        ]);
        assert.equal(result.rowCount, 900);
        assert.deepEqual(
          [...await rowsOfBytes(output)].sort(),
          [...await rowsOfBytes(...good)].sort(),
        );
      });
      assert.equal(traps, 2);
    });
  }
}

Deno.test("a file that traps when it is checked at upload is refused, and the next one is not", async () => {
  const good = await fileOf(0, "one"), bad = await fileOf(300, mark);
  const check = (file: Uint8Array) => checkValues(file, inspectParquetBytes(file));
  // an instance that was kept is dropped, since this file is broken
  const broken = await fileOf(0, "one");
  broken.fill(0xff, 60, 400);
  await assert.rejects(checkValues(broken, inspectParquetBytes(good)));
  const traps = await withTraps(async () => {
    for (let n = 0; n < 2; n++) {
      assert.equal(await check(good), true);
      await assert.rejects(check(bad), { code: "unsupported_parquet" });
    }
  });
  assert.equal(traps, 2);
  // nor is the one that trapped kept
  assert.equal(await check(good), true);
});
