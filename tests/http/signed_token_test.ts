import { strict as assert } from "node:assert";
import * as z from "zod";
import { createTokenSigner, deriveTokenKey } from "../../shared/http/signed_token.ts";

const signer = createTokenSigner("a key of sufficient length");
const schema = z.tuple([z.string(), z.number()]);
const now = new Date("2026-11-22T00:00:00Z");
const later = new Date(now.getTime() + 120_000);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "taken";
}

Deno.test("a token gives back what was signed", () => {
  const token = signer.sign("upload", ["é", 7], later);
  assert.deepEqual(signer.open("upload", token, schema, now), ["é", 7]);
  assert.match(token, /^[A-Za-z0-9_.-]+$/);
});

Deno.test("a token is taken until it expires and then is token_expired", () => {
  const token = signer.sign("upload", ["x", 1], later);
  assert.equal(
    codeOf(() => signer.open("upload", token, schema, new Date(later.getTime() - 1))),
    "taken",
  );
  assert.equal(codeOf(() => signer.open("upload", token, schema, later)), "token_expired");
});

Deno.test("a token of one purpose opens nothing else", () => {
  const token = signer.sign("upload", ["x", 1], later);
  assert.equal(codeOf(() => signer.open("content", token, schema, now)), "token_invalid");
});

Deno.test("a token changed in any character is token_invalid", () => {
  const token = signer.sign("upload", ["x", 1], later);
  for (let at = 0; at < token.length; at++) {
    // The last character of base64url may hold unused bits; two steps away it always differs.
    const other = token[at] === "A" ? "Q" : "A";
    const forged = token.slice(0, at) + other + token.slice(at + 1);
    assert.equal(
      codeOf(() => signer.open("upload", forged, schema, now)),
      "token_invalid",
      String(at),
    );
  }
});

Deno.test("no garbage is taken for a token", () => {
  for (const garbage of ["", ".", "..", "a.b", "a.b.c", "💥", "e30.e30", "null"]) {
    assert.equal(
      codeOf(() => signer.open("upload", garbage, schema, now)),
      "token_invalid",
      garbage,
    );
  }
});

Deno.test("another key's token is token_invalid, and a derived key is not the secret", () => {
  const other = createTokenSigner(deriveTokenKey("a key of sufficient length"));
  assert.equal(
    codeOf(() => signer.open("upload", other.sign("upload", ["x", 1], later), schema, now)),
    "token_invalid",
  );
});

Deno.test("a URL outlives the rotation of its key, and not a second one", () => {
  const [first, second, third] = [
    "the first of the keys",
    "the second of the keys",
    "the third of the keys",
  ];
  const token = createTokenSigner(first).sign("upload", ["x", 1], later);
  const openBy = (...keys: [string, ...string[]]) =>
    codeOf(() => createTokenSigner(...keys).open("upload", token, schema, now));
  assert.equal(openBy(first), "taken");
  assert.equal(openBy(second, first), "taken");
  assert.equal(openBy(second), "token_invalid");
  assert.equal(openBy(third, second), "token_invalid");
  const rotated = createTokenSigner(second, first).sign("upload", ["x", 1], later);
  assert.equal(
    codeOf(() => createTokenSigner(second).open("upload", rotated, schema, now)),
    "taken",
  );
  assert.ok(!token.includes("first"));
});
