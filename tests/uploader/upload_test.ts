import { strict as assert } from "node:assert";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

Deno.test("a stored upload leaves nothing behind in the folder", async () => {
  await withUploader({}, async ({ uploader, service, folder, names }) => {
    const outcome = await uploader.upload(bytesOf(1), fragment());
    assert.equal(outcome.status, "stored");
    assert.equal(service.stored.size, 1);
    assert.deepEqual(await uploader.pending(), []);
    const left = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    assert.deepEqual(left, [".sediment"]);
    assert.deepEqual(names(), ["saved", "started", "succeeded"]);
  });
});
