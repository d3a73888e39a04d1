import { strict as assert } from "node:assert";

import fc from "../support/fast_check.ts";

import {
  multipartBoundary,
  MultipartError,
  readMultipart,
} from "../../supabase/local/storage/multipart_body.ts";

interface Part {
  name: string;
  filename?: string;
  contentType?: string;
  text: string;
}

/** Everything that can look like a delimiter, and what surrounds it. */
const contents = fc.array(
  fc.constantFrom("\r", "\n", "-", "--", "\r\n", "\r\n--", "--B", "\r\n--X", "B", "x", "\r\n\r\n"),
  { maxLength: 30 },
).map((pieces) => pieces.join("")).filter((text) => !`\r\n${text}\r\n`.includes("\r\n--BOUND"));

async function read(body: Uint8Array, cuts: number[]): Promise<Part[]> {
  const chunks = cutAt(body, cuts);
  const parts: Part[] = [];
  for await (const part of readMultipart(chunks, "BOUND")) {
    const bytes = await Array.fromAsync(part.body);
    const { name, filename, contentType } = part;
    const text = bytes.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");
    parts.push({ name, filename, contentType, text });
  }
  return parts;
}

async function* cutAt(body: Uint8Array, cuts: number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const cut of cuts) {
    yield body.subarray(at, at + cut);
    at += cut;
  }
  yield body.subarray(at);
}

function encode(parts: Part[]): Uint8Array {
  const texts = parts.map(({ name, filename, contentType, text }) =>
    `--BOUND\r\nContent-Disposition: form-data; name="${name}"` +
    (filename === undefined ? "" : `; filename="${filename}"`) +
    (contentType === undefined ? "" : `\r\nContent-Type: ${contentType}`) +
    `\r\n\r\n${text}\r\n`
  );
  return new TextEncoder().encode(texts.join("") + "--BOUND--\r\n");
}

Deno.test("parts come back as they were written, however the body is cut", async () => {
  const part = fc.record({ text: contents, isFile: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
      async (drawn, cuts) => {
        const parts = drawn.map(({ text, isFile }, i): Part => ({
          name: `p${i}`,
          filename: isFile ? "f.bin" : undefined,
          contentType: isFile ? "application/x-test" : undefined,
          text,
        }));
        assert.deepEqual(await read(encode(parts), cuts), parts);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a body that ends early is broken, wherever it ends", async () => {
  const whole = encode([{ name: "a", text: "1" }, { name: "", filename: "blob", text: "23456" }]);
  const end = whole.length - "--\r\n".length;
  for (let length = 0; length <= end; length++) {
    await assert.rejects(read(whole.subarray(0, length), []), MultipartError, `${length} bytes`);
  }
});

Deno.test("what the platform's FormData writes can be read", async () => {
  const form = new FormData();
  form.append("cacheControl", "3600");
  form.append("", new Blob(["\r\n--\0\xff"], { type: "application/x-test" }), 'a "b".bin');
  const request = new Request("http://x/", { method: "POST", body: form });
  const boundary = multipartBoundary(request.headers.get("content-type"))!;
  const names: string[] = [];
  for await (const part of readMultipart(request.body!, boundary)) {
    names.push(part.name);
    const bytes = await Array.fromAsync(part.body);
    if (part.name === "") {
      assert.equal(part.contentType, "application/x-test");
      assert.equal(await new Blob(bytes as BlobPart[]).text(), "\r\n--\0\xff");
    }
  }
  assert.deepEqual(names, ["cacheControl", ""]);
});

Deno.test("headers without end are refused before they fill the memory", async () => {
  async function* endless() {
    yield new TextEncoder().encode("--BOUND\r\nContent-Disposition: form-data; name=");
    while (true) yield new Uint8Array(1000).fill(120);
  }
  const parts = readMultipart(endless(), "BOUND");
  await assert.rejects(parts.next(), /headers are too long/);
});
