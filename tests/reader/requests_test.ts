/** What the reader asks of the store and the service, and what it does when they fail. */
import { strict as assert } from "node:assert";
import { mergeBytes } from "../parquet/core/merge_bytes.ts";
import { writeWithDuckDb } from "../parquet/sample_files.ts";
import { thrownBy } from "../support/thrown_by.ts";
import { batchRows } from "./support/exact_rows.ts";
import { openFake } from "./support/fake_service.ts";

const small = await writeWithDuckDb("select i::integer as n from range(100) t(i)");
const other = await writeWithDuckDb("select i::integer as n from range(100, 150) t(i)");
/** Some 7 MB: 20 row groups of 10,000 rows and four columns of noise. */
const large = await writeWithDuckDb(
  "select i as id, hash(i) as a, hash(i + 1) as b, 'text ' || hash(i + 2) as c from range(200000) t(i)",
  "row_group_size 10000, compression snappy",
);

const codeOf = async (work: Promise<unknown>) => (await thrownBy(work)).code;
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `n:${from + i}`);

Deno.test("a small file is read whole by one request without any other header", async () => {
  const { dataset, bytes } = await openFake([{ bytes: small }]);
  const table = await dataset.toTable({ table: "t" });
  assert.deepEqual(batchRows(table.batches), numbers(0, 100));
  assert.deepEqual(bytes.map(({ start, end }) => [start, end]), [[0, small.length - 1]]);
  assert.deepEqual([...bytes[0].headers.keys()], ["range"]);
});

Deno.test("of a large file the footer and the columns' chunks are read, neighbours together", async () => {
  const { dataset, bytes } = await openFake([{ bytes: large }]);
  const scan = dataset.scan({ table: "t", columns: ["a", "b"] });
  const table = await scan.toTable();
  assert.equal(table.numRows, 200_000);
  // the end, then a range a row group that spans both columns
  assert.equal(bytes[0].end, large.length - 1);
  const groups = bytes.slice(1);
  assert.ok(groups.length <= 20, String(groups.length));
  // of the last one a part had come with the end
  for (const { start, end } of groups.slice(0, -1)) {
    assert.ok(end - start > 150_000, `${start}-${end}`);
  }
  assert.ok(scan.report.bytesRead < large.length * 0.7, String(scan.report.bytesRead));
  assert.equal(scan.report.requests, bytes.length);
});

Deno.test("row groups that the statistics rule out are not fetched", async () => {
  const { dataset, bytes } = await openFake([{ bytes: large }]);
  const scan = dataset.scan({
    table: "t",
    columns: ["c"],
    where: { column: "id", op: "=", value: 123_456 },
  });
  const table = await scan.toTable();
  assert.equal(table.numRows, 1);
  assert.deepEqual(table.schema.fields.map(({ name }) => name), ["c"]);
  assert.equal(scan.report.groupsPruned, scan.report.groups - 1);
  assert.ok(bytes.length <= 3, String(bytes.length));
  assert.equal(scan.report.rowsGiven, 1);
});

Deno.test("of a sorted output the row groups of the keys that are asked for are fetched, and no other", async () => {
  const unsorted = await Promise.all([0, 1, 2].map((f) =>
    writeWithDuckDb(
      `select hash(i) % 100000 as key, hash(i + 1) as a, 'text ' || hash(i + 2) as b from range(${
        f * 20_000
      }, ${(f + 1) * 20_000}) t(i)`,
    )
  ));
  const settings = { rowGroupBytes: 200_000 };
  const order = { sort: [{ path: ["key"] }] };
  const { output } = await mergeBytes(unsorted, 60_000, { settings }, "snappy", order);
  const { dataset, bytes } = await openFake([{ bytes: output }]);
  const scan = dataset.scan({
    table: "t",
    where: {
      and: [{ column: "key", op: ">=", value: 50_000n }, {
        column: "key",
        op: "<",
        value: 50_100n,
      }],
    },
  });
  const { numRows } = await scan.toTable();
  assert.ok(numRows > 30 && numRows < 100, String(numRows));
  const { groups, groupsPruned } = scan.report;
  assert.ok(groups >= 8, String(groups));
  assert.ok(groups - groupsPruned <= 2, `${groups - groupsPruned} of ${groups}`);
  assert.ok(bytes.length <= 3, String(bytes.length));
});

Deno.test("the manifest is paged through at the version of the opening", async () => {
  const files = Array.from({ length: 230 }, () => ({ bytes: small }));
  const { dataset, asked } = await openFake(files);
  const table = await dataset.toTable({ table: "t" });
  assert.equal(table.numRows, 23_000);
  const pages = asked.filter(({ pathname }) => pathname.endsWith("/chunks")).slice(1);
  assert.deepEqual(pages.map(({ searchParams }) => searchParams.get("cursor")), [
    null,
    "100",
    "200",
  ]);
  assert.ok(asked.slice(1).every(({ searchParams }) => searchParams.get("version") === "7"));
});

Deno.test("a URL that ends in the middle of a scan is asked for again, once for all", async () => {
  const files = Array.from({ length: 30 }, () => ({ bytes: small }));
  let valid = 2; // the first page that is scanned
  const { dataset, asked, bytes } = await openFake(files, {
    bytes: ({ signature, count }) => {
      if (count === 10) valid++;
      return signature === valid ? undefined : new Response("expired", { status: 400 });
    },
  });
  const table = await dataset.toTable({ table: "t" });
  assert.equal(table.numRows, 3000);
  assert.equal(asked.filter(({ pathname }) => pathname.endsWith("/chunks")).length, 3);
  assert.ok(bytes.length > 30 && bytes.length <= 40, String(bytes.length));
});

Deno.test("an object that is gone is an error that names its file, or is left out and counted", async () => {
  const gone = {
    bytes: ({ file }: { file: number }) =>
      file === 1 ? new Response("not found", { status: 404 }) : undefined,
  };
  const files = [{ bytes: small }, { bytes: other }, { bytes: small }];
  const failing = await openFake(files, gone);
  const error = await thrownBy(failing.dataset.toTable({ table: "t" }));
  assert.equal(error.code, "object_missing");
  assert.match(error.message, /file 1 of t\/0/);
  const { dataset } = await openFake(files, gone);
  const scan = dataset.scan({ table: "t", unreadable: "skip" });
  assert.equal((await scan.toTable()).numRows, 200);
  assert.deepEqual(
    scan.report.leftOut.map(({ file, code, rows, rowsGiven }) => [
      file,
      code,
      rows,
      rowsGiven,
    ]),
    [[1, "object_missing", 50, 0]],
  );
});

Deno.test("a file that is listed with an error is an error, or is left out and counted", async () => {
  const files = [{ bytes: small }, {
    bytes: other,
    error: { code: "object_missing", message: "its object is lost" },
  }];
  const failing = await openFake(files);
  const error = await thrownBy(failing.dataset.toTable({ table: "t" }));
  assert.equal(error.code, "object_missing");
  assert.match(error.message, /its object is lost/);
  const { dataset } = await openFake(files);
  const scan = dataset.scan({ table: "t", unreadable: "skip" });
  assert.deepEqual(batchRows((await scan.toTable()).batches), numbers(0, 100));
  assert.deepEqual(scan.report.leftOut.map(({ file }) => file), [1]);
});

Deno.test("a file whose pages are broken gives no row of it when it is left out", async () => {
  const broken = small.slice();
  broken.fill(0xff, 4, 60);
  const { dataset } = await openFake([{ bytes: small }, { bytes: broken }, { bytes: other }]);
  const scan = dataset.scan({ table: "t", unreadable: "skip" });
  assert.deepEqual(batchRows((await scan.toTable()).batches), numbers(0, 150));
  assert.deepEqual(
    scan.report.leftOut.map(({ file, code }) => [file, code]),
    [[1, "invalid_parquet"]],
  );
});

Deno.test("of a large file that breaks off, the rows that were given are counted", async () => {
  const broken = large.slice();
  broken.fill(0xff, 1_500_000, 1_600_000);
  const { dataset } = await openFake([{ bytes: broken }, { bytes: large }]);
  const scan = dataset.scan({ table: "t", unreadable: "skip" });
  const table = await scan.toTable();
  const [left, ...others] = scan.report.leftOut;
  assert.deepEqual(others, []);
  assert.ok(left.rowsGiven > 0 && left.rowsGiven < 200_000, String(left.rowsGiven));
  assert.equal(table.numRows, 200_000 + left.rowsGiven);
});

Deno.test("what fails in passing is tried once more, and only once", async () => {
  for (const [what, fault] of Object.entries(passing)) {
    // what answers may take its time
    const deadlineMs = codes[what] === "answer_timeout" ? 700 : 60_000;
    const once = await openFake([{ bytes: small }], {
      bytes: (request) => request.count === 0 ? fault(request) : undefined,
      reader: { deadlineMs },
    });
    assert.equal((await once.dataset.toTable({ table: "t" })).numRows, 100, what);
    assert.equal(once.bytes.length, 2, what);
    const always = await openFake([{ bytes: small }], {
      bytes: fault,
      reader: { deadlineMs },
    });
    assert.equal(await codeOf(always.dataset.toTable({ table: "t" })), codes[what], what);
    assert.equal(always.bytes.length, 2, what);
  }
});

const passing: Record<string, (request: { signal: AbortSignal }) => Response | Promise<Response>> =
  {
    "no connection": () => Promise.reject(new TypeError("connection refused")),
    "a 503": () => new Response("busy", { status: 503 }),
    "a 429": () => new Response("slow down", { status: 429, headers: { "retry-after": "0.001" } }),
    "a body that ends too soon": () => new Response(small.slice(0, 50), { status: 206 }),
    "a body that is too long": () =>
      new Response(new Uint8Array(small.length + 1), { status: 206 }),
    "a body that breaks off": () => new Response(brokenBody(), { status: 206 }),
    "an answer that never comes": ({ signal }) => untilAborted(signal),
    "a body that stalls": () => new Response(new ReadableStream({ start() {} }), { status: 206 }),
  };
const codes: Record<string, string> = {
  "no connection": "server_unreachable",
  "a 503": "store_failed",
  "a 429": "store_failed",
  "a body that ends too soon": "connection_lost",
  "a body that is too long": "unexpected_answer",
  "a body that breaks off": "connection_lost",
  "an answer that never comes": "answer_timeout",
  "a body that stalls": "answer_timeout",
};

function brokenBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      controller.error(new Error("reset by peer"));
    },
  });
}

function untilAborted(signal: AbortSignal): Promise<Response> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
}

Deno.test("a server that ignores Range is taken for a small file and refused for a large one", async () => {
  const whole = (bytes: Uint8Array<ArrayBuffer>) => ({ bytes: () => new Response(bytes) });
  const { dataset } = await openFake([{ bytes: small }], whole(small));
  assert.equal((await dataset.toTable({ table: "t" })).numRows, 100);
  let cancelled = 0;
  const endless = await openFake([{ bytes: large }], {
    bytes: () =>
      new Response(
        new ReadableStream({
          cancel() {
            cancelled++;
          },
        }),
      ),
  });
  const error = await thrownBy(endless.dataset.toTable({ table: "t" }));
  assert.equal(error.code, "misconfigured");
  assert.equal(cancelled, 1);
});

Deno.test("the service's problems are told with their codes, and passing ones tried once more", async () => {
  const problem = (status: number, code: string) =>
    new Response(JSON.stringify({ code, detail: "so it is", status }), {
      status,
      headers: { "content-type": "application/problem+json" },
    });
  const failing = openFake([], { service: () => problem(403, "dataset_forbidden") });
  assert.equal(await codeOf(failing), "dataset_forbidden");
  const { asked } = await openFake([{ bytes: small }], {
    service: (_, count) => count === 0 ? problem(503, "catalog_failed") : undefined,
  });
  assert.equal(asked.length, 2);
  assert.equal(
    await codeOf(openFake([], { service: () => problem(503, "catalog_failed") })),
    "catalog_failed",
  );
  assert.equal(
    await codeOf(openFake([], { service: () => new Response("<html>", { status: 200 }) })),
    "unexpected_answer",
  );
});

Deno.test("a list of tables with something else in it is no answer of the service", async () => {
  const said = async (wrong: Record<string, unknown>) => {
    const { dataset } = await openFake([{ bytes: small }], {
      service: (url) =>
        url.pathname.endsWith("/battle-data/tables")
          ? Response.json({
            ...{ dataset_id: url.searchParams.get("dataset_id"), version: 7, next_cursor: null },
            tables: [{
              ...{ table: "t", files: 1, rows: 1, bytes: 1, periods: [], columns: [] },
              ...{ schemas: [], ...wrong },
            }],
          })
          : undefined,
    });
    return await dataset.tables();
  };
  await said({});
  for (const list of ["periods", "columns", "schemas"]) {
    for (const wrong of [[null], [1], {}]) {
      assert.equal(await codeOf(said({ [list]: wrong })), "unexpected_answer", list);
    }
  }
});

Deno.test("a session is asked for each request, and without one there is none", async () => {
  let asked = 0;
  const session = {
    credential: () => Promise.resolve(++asked > 2 ? null : { token: `t${asked}` }),
  };
  const { dataset } = await openFake([{ bytes: small }], { reader: { session } });
  await dataset.tables();
  assert.equal(await codeOf(Array.fromAsync(dataset.files())), "not_signed_in");
});

Deno.test("breaking off a scan ends its requests, and aborting it ends the scan", async () => {
  const files = Array.from({ length: 50 }, () => ({ bytes: large }));
  const ended: boolean[] = [];
  const { dataset, bytes } = await openFake(files, {
    bytes: ({ file, signal }) => {
      if (file < 2) return undefined;
      return untilAborted(signal).finally(() => ended.push(true));
    },
  });
  for await (const _ of dataset.scan({ table: "t" })) break;
  assert.equal(ended.length, bytes.filter(({ file }) => file >= 2).length);
  const stop = new AbortController();
  const scan = dataset.scan({ table: "t", signal: stop.signal });
  const thrown = await thrownBy((async () => {
    for await (const _ of scan) stop.abort(new Error("enough"));
  })());
  assert.equal(thrown.message, "enough");
});

Deno.test("what is fetched ahead stays within its limits", async () => {
  const files = Array.from({ length: 40 }, () => ({ bytes: large }));
  const MiB = 1024 * 1024;
  const { dataset, bytes } = await openFake(files, {
    reader: { limits: { aheadBytes: 4 * MiB, aheadCount: 4 } },
  });
  let most = 0, taken = 0;
  const held = () => bytes.reduce((sum, { start, end }) => sum + end + 1 - start, 0);
  for await (const batch of dataset.scan({ table: "t" })) {
    taken += batch.numRows;
    const given = taken / 200_000 * large.length;
    most = Math.max(most, held() - given);
    if (taken > 1_000_000) break;
  }
  assert.ok(most < 6 * MiB, `${most} bytes were fetched before they were used`);
});

Deno.test("a scan is gone through once", async () => {
  const { dataset } = await openFake([{ bytes: small }]);
  const scan = dataset.scan({ table: "t" });
  await scan.toTable();
  assert.equal(await codeOf(scan.toTable()), "invalid_request");
});
