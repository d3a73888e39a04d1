import { strict as assert } from "node:assert";
import fc from "../support/fast_check.ts";
import type { SedimentError } from "../../shared/errors.ts";
import { readMultipart } from "../../shared/http/read_multipart.ts";

const encoder = new TextEncoder();
const limits = { maxBytes: 1024 * 1024 };
const type = "multipart/form-data; boundary=xyz";
const part = (head: string, body: string) => `--xyz\r\n${head}\r\n\r\n${body}\r\n`;
const field = (name: string, body: string) =>
  part(`content-disposition: form-data; name="${name}"`, body);

const formOf = (contentType: string, body: Uint8Array) =>
  readMultipart(
    new Request("http://x/", {
      method: "POST",
      headers: { "content-type": contentType },
      body: body as BodyInit,
    }),
    limits,
  );

Deno.test("forms that fetch writes have the parts that its own parser finds", () =>
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
        const read = await formOf(contentType, body);
        const expected = await new Response(body, { headers: { "content-type": contentType } })
          .formData();
        for (const name of new Set(expected.keys())) {
          const value = expected.get(name)!;
          const bytes = typeof value === "string" ? encoder.encode(value) : await value.bytes();
          assert.deepEqual([...await read.bytes(name)], [...bytes], name);
        }
        assert.equal(await read.text("absent"), undefined);
      },
    ),
    { numRuns: 300 },
  ));

Deno.test("a delimiter that is begun again and again in a file ends it only where it is whole", async () => {
  const near = "\r\n--xy\r\r\n--\r\n--xyx\r\n--xy";
  const form = await formOf(type, encoder.encode(field("a", near) + "--xyz--\r\n"));
  assert.equal(await form.text("a"), near);
});

Deno.test("forms that are written in another way are read, or refused as invalid_multipart", async () => {
  const good = field("a", "1") + "--xyz--\r\n";
  const cases: [what: string, contentType: string, body: string, a: string | undefined][] = [
    ["the plain way", type, good, "1"],
    ["a quoted boundary", 'multipart/form-data; boundary="xyz"', good, "1"],
    ["a charset beside it", "multipart/form-data; charset=utf-8; boundary=xyz", good, "1"],
    ["no line break at the end", type, good.slice(0, -2), "1"],
    ["a bare name", type, good.replace('"a"', "a"), "1"],
    [
      "a type of its own",
      type,
      good.replace("\r\n\r\n", "\r\ncontent-type: text/plain\r\n\r\n"),
      "1",
    ],
    ["two of one name", type, field("a", "1") + field("a", "2") + "--xyz--\r\n", "1"],
    ["a preamble, which no form has", type, "preamble\r\n" + good, undefined],
    ["no boundary", "multipart/form-data", good, undefined],
    ["another boundary", "multipart/form-data; boundary=other", good, undefined],
    ["nothing", type, "", undefined],
    ["no end", type, good.replace("--xyz--", ""), undefined],
    ["line feeds alone", type, good.replaceAll("\r\n", "\n"), undefined],
    ["65 parts", type, field("b", "").repeat(64) + good, undefined],
  ];
  for (const [what, contentType, body, expected] of cases) {
    let found: string | undefined, code: string | undefined;
    try {
      found = await (await formOf(contentType, encoder.encode(body))).text("a");
    } catch (thrown) {
      code = (thrown as SedimentError).code;
    }
    const wanted = expected === undefined
      ? [undefined, "invalid_multipart"]
      : [expected, undefined];
    assert.deepEqual([found, code], wanted, what);
  }
});
