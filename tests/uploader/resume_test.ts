import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { eventually } from "../support/eventually.ts";
import { bytesOf, fragment, type Setup, withUploader } from "./support/setup.ts";

const direct = { settings: { upload: { protocol: "direct" as const } } };
const steps = (setup: Setup) => setup.service.requests.map(({ step }) => step);
const until = (condition: () => boolean) => eventually("so many requests", condition);

Deno.test("a direct upload is written down before its bytes leave, so that a crash resumes it", async () => {
  await withUploader(direct, async (setup) => {
    const { uploader, service, folder } = setup;
    service.fault = (request) => request.step === "direct_put" ? "hang" : undefined;
    const uploading = uploader.upload(bytesOf(1), fragment());
    await until(() => service.requests.length === 2);
    const [{ id }] = await uploader.pending();
    const record = JSON.parse(await readFile(`${folder}/${id}.json`, "utf8"));
    assert.equal(record.upload.protocol, "direct");
    assert.match(record.upload.url, /\/storage\/v1\/object\/upload\/sign\//);
    await uploader.stop();
    await uploading;
  });
});

Deno.test("a direct upload that was stopped, refused or cut off goes on where it was", async () => {
  const faults = ["hang", "refuse_connection", "lose_request", { answer: 401 }] as const;
  for (const fault of faults) {
    await withUploader(direct, async (setup) => {
      const { uploader, service, session, another } = setup;
      service.fault = (request) => request.step === "complete" ? fault : undefined;
      const uploading = uploader.upload(bytesOf(1), fragment());
      await until(() => service.requests.length === 3);
      await uploader.stop();
      assert.equal((await uploading).status, "pending");
      service.fault = undefined;
      session.token = "token-2";
      assert.equal((await (await another()).retry()).stored, 1);
      const first = ["begin", "direct_put", "complete"];
      assert.deepEqual(steps(setup), [...first, "direct_put", "complete"], JSON.stringify(fault));
    });
  }
});

Deno.test("a direct upload that the service does not know any more begins anew, and is not dead", async () => {
  await withUploader(direct, async (setup) => {
    const { uploader, service } = setup;
    let lost = true;
    service.fault = (request) => {
      if (request.step !== "complete" || !lost) return undefined;
      lost = false;
      return { answer: 404, code: "not_found" };
    };
    assert.equal((await uploader.upload(bytesOf(1), fragment())).status, "stored");
    assert.equal(steps(setup).filter((step) => step === "begin").length, 2);
  });
});

Deno.test("a large asset goes to the store by itself, a small one through the service", async () => {
  const settings = { upload: { direct_above_bytes: 100 } };
  await withUploader({ settings }, async (setup) => {
    const asset = (key: string) => ({
      kind: "asset" as const,
      key,
      relative_path: key,
      file_name: "a.png",
    });
    const small = await setup.uploader.upload(new Uint8Array(100), asset("small/a.png"));
    const large = await setup.uploader.upload(new Uint8Array(101), asset("large/a.png"));
    assert.deepEqual([small.status, large.status], ["stored", "stored"]);
    assert.deepEqual(steps(setup), ["begin", "put", "begin", "direct_put", "complete"]);
  });
});

Deno.test("Avro goes through the service whatever its size: direct uploads are not converted", async () => {
  const settings = { upload: { direct_above_bytes: 100 } };
  await withUploader({ settings }, async (setup) => {
    await setup.uploader.upload(bytesOf(1), fragment("a", { format: "avro" }));
    await setup.uploader.upload(bytesOf(2), fragment("b", { format: "parquet" }));
    assert.deepEqual(steps(setup), ["begin", "put", "begin", "direct_put", "complete"]);
  });
});
