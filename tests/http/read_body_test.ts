import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { readBody } from "../../shared/http/read_body.ts";

/** A request whose body comes from a stream, with headers that need not be true. */
function streamed(
  stream: ReadableStream<Uint8Array>,
  headers: Record<string, string> = {},
): Request {
  const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
  const request = new Request("http://localhost/", init);
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return request;
}

function chunks(...sizes: number[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(sizes.map((size, n) => new Uint8Array(size).fill(n + 1)));
}

async function refused(promise: Promise<unknown>): Promise<SedimentError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof SedimentError, String(error));
    return error;
  }
  return assert.fail("it was taken");
}

Deno.test("a body within the limit is returned byte for byte", async () => {
  const body = await readBody(streamed(chunks(3, 70_000, 2)), { maxBytes: 100_000 });
  assert.equal(body.byteLength, 70_005);
  assert.deepEqual([body[0], body[3], body[70_002], body[70_004]], [1, 2, 2, 3]);
});

Deno.test("a body in one piece is not copied, unless its piece keeps far more memory than it has bytes", async () => {
  const whole = new Uint8Array(1000).fill(7);
  const once = (piece: Uint8Array) =>
    streamed(ReadableStream.from([piece]), { "content-length": String(piece.byteLength) });
  assert.equal((await readBody(once(whole), { maxBytes: 2000 })).buffer, whole.buffer);
  const small = await readBody(once(whole.subarray(10, 20)), { maxBytes: 2000 });
  assert.deepEqual([...small], Array(10).fill(7));
  assert.notEqual(small.buffer, whole.buffer);
});

Deno.test("a first piece as long as Content-Length says, with more behind it, is refused", async () => {
  const request = streamed(chunks(100, 1), { "content-length": "100" });
  const error = await refused(readBody(request, { maxBytes: 2000 }));
  assert.equal(error.code, "invalid_request");
  assert.equal(error.field, "content-length");
});

Deno.test("of a body that is paced no piece is asked for before its time has come", async () => {
  let asked = 0;
  const told: number[] = [];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (asked++ === 3) controller.close();
      else controller.enqueue(new Uint8Array(10));
    },
  }, { highWaterMark: 0 });
  const body = await readBody(streamed(stream), {
    maxBytes: 100,
    async pace(bytes) {
      told.push(bytes);
      const before = asked;
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(asked, before);
    },
  });
  assert.deepEqual([body.byteLength, told], [30, [10, 10, 10]]);
});

Deno.test("a body that is paced for longer than its time again is held no longer", async () => {
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1)),
  }, { highWaterMark: 0 });
  let told = 0;
  const error = await refused(readBody(streamed(stream), {
    maxBytes: 1_000_000,
    deadlineMs: 20,
    pace() {
      told++;
      return new Promise((resolve) => setTimeout(resolve, 5));
    },
  }));
  assert.equal(error.code, "body_stalled");
  assert.ok(told <= 9, `${told} waits of 5 ms in 2 × 20 ms`);
});

Deno.test("a body of exactly the limit is taken and one byte more is 413", async () => {
  const exact = await readBody(streamed(chunks(50, 50)), { maxBytes: 100 });
  assert.equal(exact.byteLength, 100);
  const error = await refused(readBody(streamed(chunks(50, 51)), { maxBytes: 100 }));
  assert.equal(error.code, "body_too_large");
  assert.equal(error.status, 413);
});

Deno.test("a Content-Length over the limit is 413 and only a bounded part of the body is read", async () => {
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const request = streamed(endless, { "content-length": String(2 ** 40) });
  const error = await refused(readBody(request, { maxBytes: 1024 }));
  assert.equal(error.code, "body_too_large");
  assert.ok(pulled <= 6 * 1024 * 1024, `${pulled} bytes were read`);
});

Deno.test("of a body that is longer than was said, no more is taken", async () => {
  const said = { maxBytes: 1000, exactBytes: 100 };
  const exact = await readBody(streamed(chunks(60, 40)), said);
  assert.equal(exact.byteLength, 100);
  const shorter = await readBody(streamed(chunks(60)), said);
  assert.equal(shorter.byteLength, 60, "a shorter one is for its reader to refuse");
  for (
    const [request, code] of [
      [streamed(chunks(60, 41)), "size_mismatch"],
      [streamed(chunks(101), { "content-length": "101" }), "size_mismatch"],
      [streamed(chunks(1001), { "content-length": "1001" }), "body_too_large"],
    ] as const
  ) {
    const error = await refused(readBody(request, said));
    assert.deepEqual([error.code, error.field], [
      code,
      code === "size_mismatch" ? "file_size" : "body",
    ]);
  }
});

Deno.test("a compressed body is refused by name, an unknown coding's bytes are taken as they are", async () => {
  for (const coding of ["gzip", "x-gzip", "Deflate", "br", "identity, zstd"]) {
    const request = streamed(chunks(10), { "content-encoding": coding });
    const error = await refused(readBody(request, { maxBytes: 100 }));
    assert.deepEqual([error.code, error.field], ["invalid_request", "content-encoding"]);
  }
  for (const coding of ["identity", "binary", "aws-chunked"]) {
    const request = streamed(chunks(10), { "content-encoding": coding });
    assert.equal((await readBody(request, { maxBytes: 100 })).length, 10);
  }
});

Deno.test("a body shorter than its Content-Length is refused", async () => {
  const request = streamed(chunks(10), { "content-length": "20" });
  const error = await refused(readBody(request, { maxBytes: 100 }));
  assert.equal(error.code, "invalid_request");
  assert.equal(error.field, "content-length");
});

Deno.test("a body longer than its Content-Length is refused", async () => {
  const error = await refused(
    readBody(streamed(chunks(30), { "content-length": "20" }), { maxBytes: 100 }),
  );
  assert.equal(error.code, "invalid_request");
});

Deno.test("a Content-Length that is no number is refused", async () => {
  for (const lie of ["-1", "1e9", "0x10", " ", "99999999999999999999"]) {
    const error = await refused(
      readBody(streamed(chunks(3), { "content-length": lie }), { maxBytes: 100 }),
    );
    assert.equal(error.field, "content-length", lie);
  }
});

Deno.test("a body that stops is 408 and is cancelled", async () => {
  let cancelled = false;
  const stalling = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(5)),
    cancel: () => void (cancelled = true),
  });
  const error = await refused(readBody(streamed(stalling), { maxBytes: 100, stallMs: 20 }));
  assert.equal(error.code, "body_stalled");
  assert.equal(error.status, 408);
  assert.equal(cancelled, true);
});

Deno.test("a body that trickles for ever is 408 at the deadline", async () => {
  let timer: ReturnType<typeof setInterval>;
  const trickling = new ReadableStream<Uint8Array>({
    start: (controller) =>
      void (timer = setInterval(() => controller.enqueue(new Uint8Array(1)), 5)),
    cancel: () => clearInterval(timer),
  });
  const error = await refused(
    readBody(streamed(trickling), { maxBytes: 1e6, stallMs: 10_000, deadlineMs: 50 }),
  );
  assert.equal(error.code, "body_stalled");
});

Deno.test("a body that breaks off is the caller's error", async () => {
  const breaking = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(5)),
    pull: (controller) => controller.error(new TypeError("connection reset")),
  });
  const error = await refused(readBody(streamed(breaking), { maxBytes: 100 }));
  assert.equal(error.code, "invalid_request");
});
