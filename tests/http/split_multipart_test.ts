import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import { splitMultipart } from "../../shared/http/split_multipart.ts";

const encoder = new TextEncoder();
const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const type = "multipart/form-data; boundary=xyz";
const part = (head: string, body: string) => `--xyz\r\n${head}\r\n\r\n${body}\r\n`;
const field = (name: string, body: string) =>
  part(`content-disposition: form-data; name="${name}"`, body);

Deno.test("forms that fetch writes are split, and as its own parser splits them", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.stringMatching(/^[a-z_]{1,8}$/),
          fc.oneof(
            fc.string(),
            // Bytes that look like delimiters, as often as not.
            fc.array(fc.constantFrom(13, 10, 45, 120, 0)).map((b) =>
              new Blob([Uint8Array.from(b)])
            ),
          ),
        ),
        { minLength: 1, maxLength: 5 },
      ),
      async (fields) => {
        const form = new FormData();
        for (const [name, value] of fields) form.append(name, value as string);
        const sent = new Response(form);
        const contentType = sent.headers.get("content-type")!;
        const body = await sent.bytes();
        const parts = splitMultipart(contentType, body);
        assert.ok(parts);
        const read = await new Response(body, { headers: { "content-type": contentType } })
          .formData();
        const expected = await Promise.all([...read].map(async ([name, value]) => ({
          name,
          isFile: typeof value !== "string",
          bytes: typeof value === "string" ? encoder.encode(value) : await value.bytes(),
        })));
        assert.deepEqual(
          parts.map(({ bytes, ...rest }) => ({ ...rest, bytes: [...bytes] })),
          expected.map(({ bytes, ...rest }) => ({ ...rest, bytes: [...bytes] })),
        );
      },
    ),
    { numRuns: 300 },
  ));

Deno.test("a delimiter that is begun again and again in a file ends it only where it is whole", () => {
  const near = "\r\n--xy\r\r\n--\r\n--xyx\r\n--xy";
  const parts = splitMultipart(type, latin1(field("a", near) + "--xyz--\r\n"));
  assert.equal(new TextDecoder().decode(parts![0]!.bytes), near);
});

Deno.test("what is written in another way is left to the runtime's parser", () => {
  const good = field("a", "1") + "--xyz--\r\n";
  assert.ok(splitMultipart(type, latin1(good)));
  assert.ok(splitMultipart('multipart/form-data; boundary="xyz"', latin1(good)));
  for (
    const [contentType, body] of [
      ["multipart/form-data", good],
      ["multipart/form-data; charset=utf-8; boundary=xyz", good],
      ["multipart/form-data; boundary=other", good],
      [type, ""],
      [type, "preamble\r\n" + good],
      [type, good + "epilogue"],
      [type, good.replace("--xyz--", "")],
      [type, good.slice(0, -4)],
      [type, good.replace('"a"', "a")],
      [type, good.replace('"a"', '"a%22"')],
      [type, good.replace('"a"', '"ä"')],
      [type, good.replace('"a"', "\"a\"; filename*=utf-8''x")],
      [type, good.replace("\r\n\r\n", "\r\ncontent-transfer-encoding: base64\r\n\r\n")],
      [type, good.replace("\r\n\r\n", "\r\ncontent-type: text/plain\r\n\r\n")],
      [type, good.replaceAll("\r\n", "\n")],
      [type, good.replace("--xyz\r\n", "--xyz \r\n")],
    ] as const
  ) assert.equal(splitMultipart(contentType, latin1(body)), undefined, `${contentType}\n${body}`);
});
