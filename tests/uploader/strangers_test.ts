import { strict as assert } from "node:assert";
import { readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

Deno.test("an upload that a newer version has pending is left to it, record and bytes", async () => {
  await withUploader({}, async ({ uploader, folder, service, log }) => {
    const { id } = await uploader.upload(bytesOf(1), fragment(), { sendNow: false });
    const newer = JSON.stringify({ v: 2, id, more: "than this version knows" });
    await writeFile(`${folder}/${id}.json`, newer);
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.ok(outcome.status === "pending" && outcome.duplicate);
    assert.equal(outcome.reason.code, "record_newer");
    assert.equal(await readFile(`${folder}/${id}.json`, "utf8"), newer);
    assert.equal(service.requests.length, 0);
    assert.ok(log.some((event) => event.event === "skipped_newer" && event.id === id));
  });
});

Deno.test("bytes beside a record that was turned into a link are kept, and the link is not followed", async () => {
  await withUploader({}, async ({ uploader, folder, another }) => {
    const { id } = await uploader.upload(bytesOf(1), fragment(), { sendNow: false });
    await rename(`${folder}/${id}.json`, `${folder}/elsewhere.txt`);
    await symlink(`${folder}/elsewhere.txt`, `${folder}/${id}.json`);
    const restarted = await another();
    assert.deepEqual(await restarted.pending(), []);
    assert.ok((await readdir(folder)).includes(`${id}.bin`));
  });
});
