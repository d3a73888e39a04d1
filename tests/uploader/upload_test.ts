import { strict as assert } from "node:assert";
import type { PendingItem } from "../../shared/uploader/pending/pending_record.ts";
import { type Attempt, headersFor } from "../../shared/uploader/send/attempt.ts";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { SedimentError } from "../../shared/errors.ts";
import type { UploadProgress } from "../../shared/uploader/upload.ts";
import { eventually } from "../support/eventually.ts";
import type { Fault, SeenRequest } from "./support/fake_service.ts";
import { bytesOf, datasetId, fragment, withUploader } from "./support/setup.ts";

const steps = (requests: SeenRequest[]) => requests.map(({ step, status }) => `${step} ${status}`);

Deno.test("a stored upload leaves nothing behind in the folder", async () => {
  await withUploader({}, async ({ uploader, service, folder, names }) => {
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.equal(outcome.status, "stored");
    assert.equal(service.stored.size, 1);
    assert.deepEqual(await uploader.pending(), []);
    assert.deepEqual(await readdir(folder), [".sediment"]);
    assert.deepEqual(names(), ["saved", "started", "succeeded"]);
  });
});

Deno.test("both requests carry the session, the key and what was asked, and the answer is given back", async () => {
  const seen: { url: string; headers: Headers; body: unknown }[] = [];
  await withUploader({ publishableKey: "sb_publishable_x" }, async (setup) => {
    const { service, uploader } = setup;
    const inner = service.handle.bind(service);
    service.handle = (method, url, headers, body) => {
      seen.push({ url: url.href, headers, body: new TextDecoder().decode(body) });
      return inner(method, url, headers, body);
    };
    const offsets = [
      { table_name: "a", start_byte: 0, byte_length: 600, format: "parquet" as const, num_rows: 3 },
      { table_name: "b", start_byte: 600, byte_length: 400, format: "avro" as const },
    ];
    const outcome = await uploader.upload(
      bytesOf(1),
      fragment("port_table", { table_offsets: offsets }),
      { headers: { "x-app": "1", authorization: "Bearer forged" } },
    );
    assert.ok(outcome.status === "stored" && outcome.answer?.key);
    for (const { headers } of seen) {
      assert.equal(headers.get("authorization"), "Bearer token-1");
      assert.equal(headers.get("apikey"), "sb_publishable_x");
      assert.equal(headers.get("x-app"), "1");
    }
    const fields = JSON.parse(seen[0].body as string);
    assert.deepEqual(fields.table_offsets, offsets);
    assert.deepEqual(
      [fields.dataset_id, fields.table, fields.period_tag, fields.file_size],
      [datasetId, "port_table", "2024-11-25", 1000],
    );
  });
});

Deno.test("every protocol stores a fragment, and only the direct one goes by the store", async () => {
  for (const protocol of ["two_requests", "one_request", "direct"] as const) {
    await withUploader({ settings: { upload: { protocol } } }, async ({ uploader, service }) => {
      const outcome = await uploader.upload(bytesOf(1), fragment());
      assert.equal(outcome.status, "stored", protocol);
      assert.deepEqual(
        steps(service.requests),
        {
          two_requests: ["begin 200", "put 200"],
          one_request: ["one_request 200"],
          direct: ["begin 200", "direct_put 200", "complete 200"],
        }[protocol],
      );
    });
  }
});

Deno.test("a body above direct_above_bytes goes direct, one at the limit does not", async () => {
  const settings = { upload: { direct_above_bytes: 1000 } };
  await withUploader({ settings }, async ({ uploader, service }) => {
    await uploader.upload(bytesOf(1, 1000), fragment());
    await uploader.upload(bytesOf(2, 1001), fragment());
    const begun = service.requests.filter((request) => request.step !== "begin");
    assert.deepEqual(begun.map((request) => request.step), ["put", "direct_put", "complete"]);
  });
});

Deno.test("the signed URL of the store never sees the session, on our origin or another", async () => {
  for (const store of ["http://sediment.test", "https://store.test"]) {
    await withUploader({ settings: { upload: { protocol: "direct" } } }, async (setup) => {
      const { service, uploader } = setup;
      const seen: (string | null)[] = [];
      const inner = service.handle.bind(service);
      service.handle = async (method, url, headers, body) => {
        if (url.pathname.includes("/storage/")) seen.push(headers.get("authorization"));
        const result = await inner(method, url, headers, body);
        if (!(result instanceof Response) || !url.search.includes("direct=1")) return result;
        const answer = await result.json();
        const uploadUrl = answer.uploadUrl.replace(service.origin, store);
        return Response.json({ ...answer, uploadUrl });
      };
      assert.equal((await uploader.upload(bytesOf(1), fragment())).status, "stored");
      assert.deepEqual(seen, [null]);
    });
  }
});

Deno.test("a duplicate that the first request knows by its hash sends no byte", async () => {
  await withUploader({}, async ({ uploader, service }) => {
    const answer = { key: "battle_data/x", size: 1000, metricId: "m", duplicate: true };
    const inner = service.handle.bind(service);
    service.handle = async (method, url, headers, body) => {
      const result = await inner(method, url, headers, body);
      if (!(result instanceof Response) || method !== "POST") return result;
      return Response.json({ ...await result.json(), duplicate: true, stored: answer });
    };
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "stored" && outcome.duplicate);
    assert.deepEqual(outcome.answer, answer);
    assert.deepEqual(steps(service.requests), ["begin 200"]);
  });
});

Deno.test("a lost answer is asked for again at the second request, while its token lives", async () => {
  const faults: (Fault | undefined)[] = [undefined, "lose_answer"];
  await withUploader({ service: { fault: () => faults.shift() } }, async (setup) => {
    const { uploader, service, clock } = setup;
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "connection_lost");
    clock.skip(61);
    const report = await uploader.retry();
    assert.equal(report.stored, 1);
    assert.deepEqual(steps(service.requests), ["begin 200", "put lost 200", "put 200"]);
    assert.equal([...service.stored.values()][0].puts, 2);
  });
});

Deno.test("a token that has expired meanwhile starts again at the first request", async () => {
  const faults: (Fault | undefined)[] = [undefined, "lose_request"];
  await withUploader({ service: { fault: () => faults.shift() } }, async (setup) => {
    const { uploader, service, clock } = setup;
    await uploader.upload(bytesOf(1), fragment());
    clock.skip(300);
    await uploader.retry();
    assert.deepEqual(steps(service.requests), [
      "begin 200",
      "put lose_request",
      "begin 200",
      "put 200",
    ]);
  });
});

Deno.test("410 and token_invalid at the second request start again once in the same attempt", async () => {
  for (const code of ["token_expired", "stage_expired", "token_invalid"]) {
    const status = code === "token_invalid" ? 401 : 410;
    const faults: (Fault | undefined)[] = [undefined, { answer: status, code }];
    await withUploader({ service: { fault: () => faults.shift() } }, async (setup) => {
      const outcome = await setup.uploader.upload(bytesOf(1), fragment());
      assert.equal(outcome.status, "stored", code);
      assert.equal(setup.service.requests.length, 4);
    });
  }
});

Deno.test("a stage that is gone every time is a failed attempt, not a loop", async () => {
  const fault = (request: SeenRequest): Fault | undefined =>
    request.step === "put" ? { answer: 410, code: "token_expired" } : undefined;
  await withUploader({ service: { fault } }, async ({ uploader, service }) => {
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "token_expired");
    assert.equal(service.requests.length, 4);
    assert.equal((await uploader.pending())[0].attempt_count, 1);
  });
});

Deno.test("409 already_stored is the end of an asset; a 409 of somebody else is not", async () => {
  const asset = {
    kind: "asset" as const,
    key: "assets/a.png",
    relative_path: "a.png",
    file_name: "a.png",
  };
  await withUploader({}, async ({ uploader, service }) => {
    await uploader.upload(bytesOf(1), asset);
    const again = await uploader.upload(bytesOf(1), asset);
    assert.ok(again.status === "stored" && again.duplicate);
    service.fault = () => ({ answer: 409 });
    const other = await uploader.upload(bytesOf(2), asset);
    assert.equal(other.status, "dead");
    assert.equal((await uploader.dead()).length, 1);
  });
});

Deno.test("a captive portal's 200 deletes nothing", async () => {
  await withUploader({ service: { fault: () => ({ answer: 200, html: true }) } }, async (setup) => {
    const outcome = await setup.uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "unexpected_answer");
    assert.equal((await setup.uploader.pending()).length, 1);
  });
});

Deno.test("a permanent refusal is dead at once, keeps its bytes, and can be exported, re-queued, dropped", async () => {
  const fault = (): Fault => ({ answer: 422, code: "not_parquet" });
  await withUploader({ service: { fault } }, async ({ uploader, service, names }) => {
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "dead" && outcome.reason.code === "not_parquet");
    const { id } = outcome;
    assert.deepEqual(await uploader.bytes(id), bytesOf(1));
    // The app makes the same bad bytes again: no request.
    const again = await uploader.upload(bytesOf(1), fragment());
    assert.deepEqual([again.status, service.requests.length], ["dead", 1]);
    await uploader.retry();
    assert.equal(service.requests.length, 1);

    service.fault = undefined;
    assert.deepEqual(await uploader.requeue([id, "f".repeat(32)]), [id]);
    assert.equal((await uploader.retry()).stored, 1);
    assert.deepEqual(await uploader.dead(), []);

    service.fault = fault;
    const other = await uploader.upload(bytesOf(2), fragment());
    assert.deepEqual(await uploader.drop([other.id, id]), [other.id]);
    assert.deepEqual(await uploader.dead(), []);
    assert.ok(
      names().includes("dead") && names().includes("requeued") && names().includes("dropped"),
    );
  });
});

Deno.test("bytes that were changed on the disk are dead, and not sent", async () => {
  await withUploader({ service: { fault: () => "refuse_connection" } }, async (setup) => {
    const { uploader, service, folder, clock } = setup;
    const { id } = await uploader.upload(bytesOf(1), fragment());
    service.fault = undefined;
    const before = service.requests.length;
    const path = `${folder}/${id}.bin`;
    await writeFile(path, (await readFile(path)).fill(7, 0, 3));
    clock.skip(3600);
    const report = await uploader.retry();
    assert.deepEqual([report.dead, service.requests.length], [1, before]);
    const [dead] = await uploader.dead();
    assert.equal(dead.last_error?.code, "bytes_changed");
    assert.match(dead.last_error!.message, /sha256/);
  });
});

Deno.test("progress says saving, saved, sending and stored, in this order and with the bytes", async () => {
  await withUploader({}, async ({ uploader }) => {
    const seen: UploadProgress[] = [];
    await uploader.upload(bytesOf(1), fragment(), {
      onProgress: (progress) => seen.push(progress),
    });
    assert.deepEqual(seen.map((progress) => progress.phase), [
      "saving",
      "saved",
      "sending",
      "sending",
      "stored",
    ]);
    assert.deepEqual(seen.flatMap((p) => p.phase === "sending" ? [p.sent, p.total] : []), [
      0,
      1000,
      1000,
      1000,
    ]);
  });
});

Deno.test("an abort before the save keeps nothing; one during the sending keeps the item, unspent", async () => {
  await withUploader({ service: { fault: () => "hang" } }, async ({ uploader, service }) => {
    const controller = new AbortController();
    controller.abort(new Error("the window was closed"));
    const refusal = async (signal: AbortSignal) => {
      try {
        await uploader.upload(bytesOf(1), fragment(), { signal });
      } catch (error) {
        assert.ok(error instanceof SedimentError && error.code === "aborted");
        return error;
      }
      throw new Error("it was not aborted");
    };
    assert.equal((await refusal(controller.signal)).extra, undefined);
    assert.deepEqual(await uploader.pending(), []);

    const later = new AbortController();
    const stopped = refusal(later.signal);
    await eventually("a request", () => service.requests.length !== 0);
    later.abort();
    const [item] = await (await stopped, uploader.pending());
    assert.equal((await stopped).extra?.id, item.id);
    assert.deepEqual([item.state, item.attempt_count], ["waiting", 0]);
    service.fault = undefined;
    assert.equal((await uploader.retry()).stored, 1);
  });
});

Deno.test("a request without an answer ends by its time limit and spends an attempt", async () => {
  await withUploader({
    service: { fault: () => "hang" },
    settings: { upload: { timeout_seconds: 1 } },
  }, async ({ uploader }) => {
    const outcome = await uploader.upload(bytesOf(1, 10), fragment());
    assert.ok(outcome.status === "pending" && outcome.reason.code === "answer_timeout");
    assert.equal((await uploader.pending())[0].attempt_count, 1);
  });
});

Deno.test("an unreadable record is dead and can't be re-queued, since nobody knows where to", async () => {
  await withUploader({ service: { fault: () => "refuse_connection" } }, async (setup) => {
    const { uploader, folder } = setup;
    const { id } = await uploader.upload(bytesOf(1), fragment());
    await writeFile(`${folder}/${id}.json`, "{");
    assert.equal((await uploader.dead())[0].last_error?.code, "record_unreadable");
    assert.deepEqual(await uploader.requeue([id]), []);
    assert.deepEqual(await uploader.bytes(id), bytesOf(1));
    assert.deepEqual(await uploader.drop([id]), [id]);
    await uploader.stop();
    assert.deepEqual(await readdir(folder), [".sediment"]);
  });
});

Deno.test("a caller's headers go to the service that they were set for, not to the store", () => {
  const item = {
    target_url: "https://api.example/functions/v1/battle-data/upload",
    headers: { "x-app": "1", "x-tenant-secret": "s" },
  } as unknown as PendingItem;
  const attempt = { credential: { token: "t" }, publishableKey: "k" } as Attempt;
  const more = { "content-type": "application/json" };
  const here = headersFor("https://api.example/else", item, attempt, more);
  assert.deepEqual(here, { ...item.headers, ...more, authorization: "Bearer t", apikey: "k" });
  for (
    const url of ["https://store.example/put", "http://api.example/", "https://api.example:8/"]
  ) {
    assert.deepEqual(headersFor(url, item, attempt, more), more, url);
  }
});
