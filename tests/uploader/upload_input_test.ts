import { strict as assert } from "node:assert";
import { readdir } from "node:fs/promises";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

Deno.test("headers of the caller never double those of the protocol, whatever their case", async () => {
  await withUploader({}, async ({ uploader, service }) => {
    const seen: Headers[] = [];
    const { handle } = service;
    service.handle = (method, url, headers, body) => {
      seen.push(headers);
      return handle.call(service, method, url, headers, body);
    };
    const headers = {
      "Content-Type": "text/plain",
      "Idempotency-Key": "mine",
      "Content-Length": "1",
      "X-Client-Info": "app/1",
    };
    const outcome = await uploader.upload(bytesOf(1), fragment(), { headers });
    assert.equal(outcome.status, "stored");
    const types = seen.map((one) => one.get("content-type"));
    assert.deepEqual(types, ["application/json", "application/octet-stream"]);
    assert.equal(seen[0].get("idempotency-key"), outcome.id);
    assert.ok(seen.every((one) => one.get("x-client-info") === "app/1"));
    assert.ok(seen.every((one) => one.get("content-length") !== "1"));
  });
});

Deno.test("a header that no request can carry is refused before anything is saved", async () => {
  await withUploader({}, async ({ uploader }) => {
    const wrong: Record<string, string>[] = [{ "no name": "x" }, { note: "…" }, { note: "a\nb" }];
    for (const headers of wrong) {
      await assert.rejects(uploader.upload(bytesOf(1), fragment(), { headers }), {
        code: "invalid_request",
      });
    }
    assert.deepEqual(await uploader.pending(), []);
  });
});

Deno.test("a stream that stalls ends with the caller's signal, and leaves nothing", async () => {
  await withUploader({}, async ({ uploader, folder }) => {
    let cancelled = false;
    const stalled = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytesOf(1)),
      cancel: () => void (cancelled = true),
    });
    async function* waiting() {
      yield bytesOf(1);
      await new Promise(() => {});
    }
    for (const source of [stalled, waiting()]) {
      const controller = new AbortController();
      const { signal } = controller;
      const uploading = uploader.upload(source, fragment(), { signal });
      setTimeout(() => controller.abort(), 20);
      await assert.rejects(uploading, { code: "aborted" });
    }
    assert.ok(cancelled);
    assert.deepEqual(await readdir(`${folder}/.sediment/tmp`), []);
    assert.deepEqual(await uploader.pending(), []);
  });
});

Deno.test("a progress listener that throws neither fails an upload nor spends an attempt", async () => {
  await withUploader({}, async ({ uploader, service }) => {
    const outcome = await uploader.upload(bytesOf(1), fragment(), {
      onProgress: () => {
        throw new Error("the app's own");
      },
    });
    assert.deepEqual([outcome.status, service.requests.length], ["stored", 2]);
  });
});
