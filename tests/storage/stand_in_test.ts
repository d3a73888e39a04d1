/** What only the stand-in promises: its exact statuses and bodies, and what a client's end leaves behind. */
import { strict as assert } from "node:assert";
import { join } from "node:path";

import type { StorageStandInOptions } from "../../supabase/local/storage/server.ts";
import { eventually } from "../support/eventually.ts";
import { freshStandIn } from "./fresh_stand_in.ts";
import { publishableKey, secretKey } from "./serve_stand_in.ts";

async function withStandIn(
  run: (
    send: (method: string, path: string, init?: RequestInit) => Promise<Response>,
    standIn: { url: string; root: string },
  ) => Promise<void>,
  options: Partial<StorageStandInOptions> = {},
): Promise<void> {
  const standIn = await freshStandIn({ maxObjectBytes: 1_000_000, ...options });
  try {
    await run((method, path, init = {}) =>
      fetch(`${standIn.url}/storage/v1/${path}`, {
        ...init,
        method,
        headers: { apikey: secretKey, ...init.headers },
      }), standIn);
  } finally {
    await standIn.close();
  }
}

Deno.test("refusals are HTTP 400 with the true status in the body", () =>
  withStandIn(async (send) => {
    await (await send("POST", "object/sediment/a", { body: "x" })).body?.cancel();
    const cases: [string, string, RequestInit, Record<string, string>][] = [
      ["POST", "object/sediment/a", { body: "y" }, {
        statusCode: "409",
        error: "Duplicate",
        message: "The resource already exists",
        code: "KeyAlreadyExists",
      }],
      ["GET", "object/sediment/nothing", {}, {
        statusCode: "404",
        error: "not_found",
        message: "Object not found",
        code: "NoSuchKey",
      }],
      ["GET", "object/absent/a", {}, {
        statusCode: "404",
        error: "Bucket not found",
        message: "Bucket not found",
        code: "NoSuchBucket",
      }],
      ["POST", "object/sediment/b", { body: new Uint8Array(1_000_001) }, {
        statusCode: "413",
        error: "Payload too large",
        message: "The object exceeded the maximum allowed size",
        code: "EntityTooLarge",
      }],
      ["POST", "object/sediment/b%23", { body: "x" }, {
        statusCode: "400",
        error: "InvalidKey",
        message: "Invalid key: b#",
        code: "InvalidKey",
      }],
      ["POST", "object/sediment/b", { body: "x", headers: { apikey: publishableKey } }, {
        statusCode: "403",
        error: "Unauthorized",
        message: "new row violates row-level security policy",
        code: "AccessDenied",
      }],
      ["DELETE", "bucket/sediment", {}, {
        statusCode: "409",
        error: "InvalidRequest",
        message: "The bucket you tried to delete is not empty",
        code: "InvalidRequest",
      }],
      ["GET", "object/sign/sediment/a?token=x.y.z", {}, {
        statusCode: "400",
        error: "InvalidJWT",
        message: "JWS Protected Header is invalid",
        code: "InvalidJWT",
      }],
    ];
    for (const [method, path, init, body] of cases) {
      const answer = await send(method, path, init);
      assert.equal(answer.status, 400, `${method} ${path}`);
      assert.deepEqual(await answer.json(), body, `${method} ${path}`);
    }
  }));

Deno.test("a range past the end is 416 on files and tells the size, and 500 on S3", async () => {
  for (const backend of ["file", "s3"] as const) {
    await withStandIn(async (send) => {
      await (await send("POST", "object/sediment/a", { body: "12345" })).body?.cancel();
      const answer = await send("GET", "object/sediment/a", { headers: { range: "bytes=5-9" } });
      const { code } = await answer.json();
      if (backend === "s3") return assert.deepEqual([answer.status, code], [500, "InternalError"]);
      assert.deepEqual([answer.status, code], [416, "InvalidRange"]);
      assert.equal(answer.headers.get("content-range"), "bytes */5");
    }, { backend });
  }
});

Deno.test("an ETag is the quoted MD5, and If-None-Match spares the body", () =>
  withStandIn(async (send) => {
    await (await send("POST", "object/sediment/a", { body: "hello world" })).body?.cancel();
    const etag = '"5eb63bbbe01eeed093cb22bb8f5acdc3"';
    const first = await send("GET", "object/sediment/a");
    assert.equal(first.headers.get("etag"), etag);
    assert.equal(await first.text(), "hello world");
    const second = await send("GET", "object/sediment/a", { headers: { "if-none-match": etag } });
    assert.equal(second.status, 304);
    assert.equal(await second.text(), "");
  }));

Deno.test("a stream over the limit is refused at its end, and nothing of it is kept", () =>
  withStandIn(async (send, { root }) => {
    for (const asForm of [false, true]) {
      const bytes = new Uint8Array(3_000_000);
      const form = new FormData();
      form.append("", new Blob([bytes]));
      const body = asForm ? form : new Blob([bytes]).stream();
      const init = { body, duplex: "half" } as RequestInit;
      const answer = await send("POST", "object/sediment/large", init);
      assert.equal((await answer.json()).statusCode, "413");
      assert.deepEqual(await Array.fromAsync(Deno.readDir(join(root, "versions"))), []);
      const head = await send("HEAD", "object/sediment/large");
      assert.equal(head.status, 400);
    }
  }));

Deno.test("a client that hangs up midway leaves neither object nor body", () =>
  withStandIn(async (send, { url, root }) => {
    const { hostname, port } = new URL(url);
    const lengths = ["content-length: 500000", "transfer-encoding: chunked"];
    const versions = async () =>
      (await Array.fromAsync(Deno.readDir(join(root, "versions")))).length;
    assert.equal((await send("HEAD", "object/sediment/half")).status, 400);
    for (const length of lengths) {
      using connection = await Deno.connect({ hostname, port: Number(port) });
      const request = `POST /storage/v1/object/sediment/half HTTP/1.1\r\nhost: ${hostname}\r\n` +
        `apikey: ${secretKey}\r\n${length}\r\n\r\n` +
        (length.startsWith("t") ? "c350\r\n" : "") + "x".repeat(50_000);
      const bytes = new TextEncoder().encode(request);
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      // Hung up once the stand-in is surely amid the body.
      await eventually("a body is begun", async () => await versions() === 1);
      connection.close();
      await eventually("none is left", async () => await versions() === 0);
      assert.equal((await send("HEAD", "object/sediment/half")).status, 400, length);
    }
  }));

Deno.test("an upload token opens no download, and a download token no upload", () =>
  withStandIn(async (send) => {
    const json = (body: unknown) => ({
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    const upload = await (await send("POST", "object/upload/sign/sediment/k", json({}))).json();
    await (await send("POST", "object/sediment/k", { body: "x" })).body?.cancel();
    const down = await (await send("POST", "object/sign/sediment/k", json({ expiresIn: 60 })))
      .json();
    const downToken = new URL("http://x" + down.signedURL).searchParams.get("token");
    const crossed = [
      await send("GET", `object/sign/sediment/k?token=${upload.token}`),
      await send("PUT", `object/upload/sign/sediment/k?token=${downToken}`, { body: "y" }),
    ];
    for (const answer of crossed) {
      assert.equal((await answer.json()).code, "InvalidSignature");
    }
  }));

Deno.test("a secret of another stand-in signs nothing here", async () => {
  const other = await freshStandIn({ signingSecret: "another secret that is long enough" });
  try {
    const signed = await fetch(`${other.url}/storage/v1/object/upload/sign/sediment/k`, {
      method: "POST",
      headers: { apikey: secretKey },
    });
    const { token } = await signed.json();
    await withStandIn(async (send) => {
      const answer = await send("PUT", `object/upload/sign/sediment/k?token=${token}`, {
        body: "x",
      });
      assert.equal((await answer.json()).code, "InvalidJWT");
    });
  } finally {
    await other.close();
  }
});

Deno.test("an unknown route is 404", () =>
  withStandIn(async (send) => {
    const answer = await send("GET", "render/image/authenticated/sediment/a");
    assert.equal(answer.status, 404);
    assert.equal((await answer.json()).statusCode, "404");
  }));

Deno.test("a URL opens only when the marks that decodeURI leaves were sent to be signed as they are", () =>
  withStandIn(async (send, { url }) => {
    const key = "a+b@c$d&e,f:g;h=i";
    await (await send("POST", `object/sediment/${encodeURIComponent(key)}`, { body: "x" })).body
      ?.cancel();
    const sign = async (path: string) => {
      const body = JSON.stringify({ expiresIn: 60 });
      const answer = await send("POST", `object/sign/sediment/${path}`, { body });
      const opened = await fetch(`${url}/storage/v1${(await answer.json()).signedURL}`);
      await opened.body?.cancel();
      return opened.status;
    };
    assert.equal(await sign(key), 200);
    assert.equal(await sign(encodeURIComponent(key)), 400);
  }));
