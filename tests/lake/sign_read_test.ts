import { strict as assert } from "node:assert";
import { AwsV4Signer } from "aws4fetch";
import { SedimentError } from "../../shared/errors.ts";
import { objectRead, signRead } from "../../shared/iceberg/sign_read.ts";
import { signRequestSchema } from "../../shared/protocol/sign_request.ts";
import { validate } from "../../shared/protocol/validate.ts";

const place = { endpoint: "https://s3.example.com", region: "auto", bucket: "sediment" };
const key = "battle_compacted/d/battles/a=b +'()/r-1.parquet";
const path = "battle_compacted/d/battles/a%3Db%20%2B%27%28%29/r-1.parquet";
const ask = (uri: string, more: Record<string, unknown> = {}) =>
  objectRead(
    validate(signRequestSchema, { uri, region: "auto", method: "GET", headers: {}, ...more }),
    place,
  );

Deno.test("a read is known by path and by host, however its path is escaped", () => {
  for (const base of ["https://s3.example.com/sediment", "https://sediment.s3.example.com"]) {
    for (
      const spelled of [
        path,
        path.replace("%27%28%29", "'()"),
        path.replace("%3D", "="),
        path.replace("/battles/", "/b%61ttles/"),
        path.replace("%2B", "+"),
      ]
    ) {
      for (const method of ["GET", "HEAD"] as const) {
        const read = ask(`${base}/${spelled}`, { method });
        assert.deepEqual(read, { method, key, url: `${base}/${path}`, headers: {} });
      }
    }
  }
});

Deno.test("what reads no object of the bucket is not signed", () => {
  const base = "https://s3.example.com/sediment";
  for (
    const uri of [
      "https://s3.example.com/other/lake/x",
      "https://s3.example.com/sediment",
      `${base}/`,
      "https://s3.example.com/sediments/lake/x",
      "http://s3.example.com/sediment/lake/x",
      "https://s3.example.com:8443/sediment/lake/x",
      "https://s3.example.com.evil.example/sediment/lake/x",
      "https://s3.example.com@evil.example/sediment/lake/x",
      "https://a:b@s3.example.com/sediment/lake/x",
      "https://evil.example/https://s3.example.com/sediment/lake/x",
      "https://other.s3.example.com/lake/x",
      "//s3.example.com/sediment/lake/x",
      "lake/x",
      "",
      `${base}/lake/../../other/x`,
      `${base}/lake/%2e%2e/x`,
      `${base}/lake/%2E/x`,
      `${base}/lake/./x`,
      `${base}/lake//x`,
      `${base}/lake/x/`,
      `${base}/lake%2Fx`,
      `${base}/lake/a%5Cb`,
      `${base}/lake/a\\b`,
      `${base}/lake/%00`,
      `${base}/lake/%`,
      `${base}/lake/%zz`,
      `${base}/lake/%ff`,
      `${base}/lake/%c3%a9`,
      `${base}/lake/é`,
      `${base}/lake/a b`,
      `${base}/lake/a%0d%0ab`,
      `${base}/lake/x#y`,
      `${base}/lake/${"x".repeat(1100)}`,
      ...[
        "",
        "acl",
        "uploads",
        "list-type=2",
        "versionId=1",
        "tagging",
        "torrent",
        "x-id=GetObject",
        "X-Amz-Expires=9",
      ].map((query) => `${base}/lake/x?${query}`),
      `${base}?list-type=2&prefix=lake/`,
      `${base}/lake/x;acl`,
    ]
  ) {
    assert.throws(() => ask(uri), { code: "forbidden", field: "uri" }, uri);
  }
  // an escaped question mark is a letter of the key, and is signed as one
  assert.equal(ask(`${base}/lake/x%3Facl`).url, `${base}/lake/x%3Facl`);
});

Deno.test("nothing is signed that writes, nor for another region, nor headers that no read has", () => {
  const uri = "https://s3.example.com/sediment/lake/x";
  for (const method of ["PUT", "POST", "DELETE", "PATCH", "OPTIONS", "get", "GET ", ""]) {
    assert.throws(() => ask(uri, { method }), { code: "forbidden", field: "method" });
  }
  assert.throws(() => ask(uri, { region: "us-east-1" }), { field: "region", expected: "auto" });
  for (
    const headers of [
      { "x-amz-copy-source": ["other/key"] },
      { "X-Amz-Acl": ["public-read"] },
      { "x-amz-content-sha256": ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] },
      { "x-amz-content-sha256": ["0".repeat(64)] },
      { "x-amz-checksum-mode": ["ENABLED\r\nx-amz-acl: public-read"] },
      { "x-amz-checksum-mode": ["ENABLED"], "X-Amz-Checksum-Mode": ["ENABLED"] },
      { "x-amz-checksum-mode": [] },
    ]
  ) {
    assert.throws(
      () => ask(uri, { headers }),
      { code: "invalid_request" },
      JSON.stringify(headers),
    );
  }
  for (
    const wrong of [{ headers: null }, { headers: { a: "b" } }, { provider: "gcs" }, { uri: 1 }, {
      uri: `${uri}${"x".repeat(5000)}`,
    }]
  ) {
    assert.throws(() => ask(uri, wrong), SedimentError, JSON.stringify(wrong));
  }
});

Deno.test("what is signed is the read alone, and given without what the client has", async () => {
  const headers = {
    "User-Agent": ["engine"],
    Range: ["bytes=0-9"],
    Authorization: ["another"],
    "x-amz-date": ["19700101T000000Z"],
    "x-amz-checksum-mode": ["ENABLED"],
    "X-Amz-Te": ["append-md5"],
  };
  const read = ask(`https://s3.example.com/sediment/${path}`, { headers });
  const signed = await signRead(read, place, { id: "id", secret: "secret" });
  assert.deepEqual(Object.keys(signed).sort(), [
    "authorization",
    "x-amz-content-sha256",
    "x-amz-date",
  ]);
  assert.equal(signed["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
  assert.ok(Math.abs(Date.now() - at(signed["x-amz-date"]!)) < 60_000);
  assert.match(
    signed.authorization!,
    /SignedHeaders=host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date;x-amz-te,/,
  );
  const again = await new AwsV4Signer({
    ...{ url: read.url, method: "GET", service: "s3", region: "auto" },
    ...{ accessKeyId: "id", secretAccessKey: "secret", datetime: signed["x-amz-date"] },
    headers: {
      "x-amz-checksum-mode": "ENABLED",
      "x-amz-te": "append-md5",
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    },
  }).sign();
  assert.equal(signed.authorization, again.headers.get("authorization"));
});

function at(date: string): number {
  return Date.parse(date.replace(/^(....)(..)(..T..)(..)(..Z)$/, "$1-$2-$3:$4:$5"));
}
