/** The reading half of S3 at `/storage/v1/s3`, by the store's own S3 client and by signed URLs. */
import { strict as assert } from "node:assert";

import { AwsV4Signer } from "aws4fetch";
import postgres from "postgres";

import { SedimentError } from "../../shared/errors.ts";
import { createS3Client } from "../../shared/storage/s3_client.ts";
import { createS3Store } from "../../shared/storage/s3_store.ts";
import { createSupabaseStore } from "../../shared/storage/supabase_store.ts";
import { elements, elementText } from "../../shared/storage/s3_xml.ts";
import { freshStandIn } from "./fresh_stand_in.ts";
import { publishableKey, secretKey } from "./serve_stand_in.ts";

const ann = "6a1c2f7e-0d6b-4a51-9e0c-2a2f4c0f0a01";
const s3 = {
  accessKeyId: "project-access-key",
  secretAccessKey: "project-secret-key",
  projectRef: "projectref",
  publishableKey,
  region: "local",
};
const content = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) >>> (i % 13));
const keys = [`${ann}/a=1/b+c d.parquet`, `${ann}/z`, "k-1", "k/1", "k/10", "k/2/x", "other"];

type Credentials = {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  region?: string;
  bucket?: string;
};

interface World {
  dbUrl: string;
  url: string;
  options(credentials?: Partial<Credentials>): Parameters<typeof createS3Store>[0];
}

function check(name: string, run: (world: World) => Promise<void>): void {
  Deno.test(name, async () => {
    const standIn = await freshStandIn({ s3 });
    try {
      const rest = createSupabaseStore({ url: standIn.url, secretKey, bucket: "sediment" });
      for (const key of keys) await rest.put(key, content, { contentType: "application/x-test" });
      const options = (credentials: Partial<Credentials> = {}) => ({
        endpoint: `${standIn.url}/storage/v1/s3`,
        region: "local",
        bucket: "sediment",
        accessKeyId: s3.accessKeyId,
        secretAccessKey: s3.secretAccessKey,
        ...credentials,
      });
      await run({ ...standIn, options });
    } finally {
      await standIn.close();
    }
  });
}

async function refused(call: Promise<unknown>, words: RegExp): Promise<void> {
  await assert.rejects(call, (error: SedimentError) => {
    assert.match(error.message, words);
    return true;
  });
}

check("the project's keys read objects, ranges, heads and listings", async ({ options }) => {
  for (const region of ["local", "auto", "us-east-1"]) {
    const store = createS3Store(options({ region }));
    assert.deepEqual(new Uint8Array(await store.get(keys[0])), content);
  }
  const store = createS3Store(options());
  assert.deepEqual(await store.getRange(keys[0], 4990, 100), content.slice(4990));
  await refused(store.getRange(keys[0], 5000, 1), /416 InvalidRange/);
  await refused(store.get("nothing"), /404 NoSuchKey/);
  assert.equal(await store.head("nothing"), null);
  const head = await store.head(keys[0]);
  assert.deepEqual([head?.size, head?.contentType], [5000, "application/x-test"]);

  const found: string[] = [];
  for (let cursor: string | undefined, more = true; more;) {
    const page = await store.list("k", { limit: 2, cursor });
    found.push(...page.objects.map((object) => object.key));
    assert.ok(page.objects.every((object) => object.size === 5000));
    cursor = page.cursor;
    more = cursor !== undefined;
  }
  assert.deepEqual(found, ["k-1", "k/1", "k/10", "k/2/x"]);
});

check(
  "a listing folds at a delimiter, goes on after a key and encodes for URLs",
  async ({ options }) => {
    const client = createS3Client(options());
    const list = (query: Record<string, string>) =>
      client.sendForXml({ action: "list", key: "" }, "GET", null, {
        query: { "list-type": "2", ...query },
      });
    const folded = await list({ prefix: "k/", delimiter: "/" });
    assert.deepEqual(elements(folded, "Contents").map((xml) => elementText(xml, "Key")), [
      "k/1",
      "k/10",
    ]);
    assert.deepEqual(elements(folded, "CommonPrefixes").map((xml) => elementText(xml, "Prefix")), [
      "k/2/",
    ]);
    const after = await list({ "start-after": "k/10", prefix: "k" });
    assert.deepEqual(elements(after, "Contents").map((xml) => elementText(xml, "Key")), ["k/2/x"]);
    const encoded = await list({ "encoding-type": "url", prefix: `${ann}/a` });
    assert.deepEqual(elements(encoded, "Contents").map((xml) => elementText(xml, "Key")), [
      encodeURIComponent(keys[0]),
    ]);
  },
);

check("a presigned URL opens its object until it expires, and no other", async ({ options }) => {
  const store = createS3Store(options());
  const url = await store.signDownload(keys[0], 600);
  const part = await fetch(url, { headers: { range: "bytes=1-4" } });
  assert.deepEqual([part.status, part.headers.get("content-range")], [206, "bytes 1-4/5000"]);
  assert.deepEqual(new Uint8Array(await part.arrayBuffer()), content.slice(1, 5));
  const statusOf = async (changed: string) => {
    const answer = await fetch(changed);
    const code = elementText(await answer.text(), "Code");
    return `${answer.status} ${code}`;
  };
  const other = url.replace(/a%3D1.*?\?/, "z?");
  assert.notEqual(other, url);
  assert.equal(await statusOf(other), "403 SignatureDoesNotMatch");
  assert.equal(
    await statusOf(url.replace("Expires=600", "Expires=601")),
    "403 SignatureDoesNotMatch",
  );
  const old = url.replace(/X-Amz-Date=\d{8}T/, "X-Amz-Date=20200101T")
    .replace(/%2F\d{8}%2F/, "%2F20200101%2F");
  assert.equal(await statusOf(old), "403 AccessDenied");
});

check("a session reads what row-level security shows its user", async ({ options, dbUrl }) => {
  const sql = postgres(dbUrl, { max: 1, onnotice: () => {} });
  await sql`create policy own on storage.objects for select to authenticated
    using (bucket_id = 'sediment' and (storage.foldername(name))[1] = auth.uid()::text)`;
  await sql.end();
  const session = (sessionToken: string) => ({
    accessKeyId: s3.projectRef,
    secretAccessKey: publishableKey,
    sessionToken,
  });
  const store = createS3Store(options(session(`user-${ann}`)));
  assert.deepEqual(new Uint8Array(await store.get(keys[0])), content);
  assert.deepEqual(await store.getRange(keys[1], 0, 10), content.slice(0, 10));
  await refused(store.get("other"), /404 NoSuchKey/);
  assert.equal(await store.head("other"), null);
  const { objects } = await store.list("");
  assert.deepEqual(objects.map((object) => object.key), keys.slice(0, 2));
  const url = await store.signDownload(keys[1], 60);
  assert.deepEqual(new Uint8Array(await (await fetch(url)).arrayBuffer()), content);

  const forged = createS3Store(options(session("forged")));
  await refused(forged.get(keys[0]), /403 AccessDenied/);
  const wrongKey = { ...session(`user-${ann}`), secretAccessKey: "not the publishable key" };
  await refused(createS3Store(options(wrongKey)).get(keys[0]), /403 SignatureDoesNotMatch/);
});

check(
  "wrong keys, regions, clocks and missing signatures are refused by their names",
  async ({ options, url }) => {
    const get = (credentials: Partial<Credentials>) =>
      createS3Store(options(credentials)).get(keys[0]);
    await refused(get({ accessKeyId: "unknown" }), /403 InvalidAccessKeyId/);
    await refused(get({ secretAccessKey: "wrong" }), /403 SignatureDoesNotMatch/);
    await refused(get({ region: "eu-west-9" }), /400 AuthorizationHeaderMalformed/);
    await refused(get({ bucket: "nowhere" }), /404 NoSuchBucket/);
    const unsigned = await fetch(`${url}/storage/v1/s3/sediment/other`);
    assert.equal(elementText(await unsigned.text(), "Code"), "AccessDenied");
    const late = await new AwsV4Signer({
      ...s3,
      url: `${url}/storage/v1/s3/sediment/other`,
      service: "s3",
      datetime: "20200101T000000Z",
    }).sign();
    const answer = await fetch(late.url, { headers: late.headers });
    assert.equal(elementText(await answer.text(), "Code"), "RequestTimeTooSkewed");
    for (
      const [datetime, code] of [
        ["20269901T000000Z", "AuthorizationHeaderMalformed"],
        ["2026T", "AuthorizationHeaderMalformed"],
      ]
    ) {
      const odd = await new AwsV4Signer({
        ...s3,
        url: `${url}/storage/v1/s3/sediment/other?X-Amz-Expires=600`,
        service: "s3",
        signQuery: true,
        datetime,
      }).sign();
      const answer = await fetch(odd.url);
      assert.equal(elementText(await answer.text(), "Code"), code, datetime);
    }
    const write = createS3Store(options()).put("new", content, { upsert: true });
    await refused(write, /501 NotImplemented/);
  },
);
