import { strict as assert } from "node:assert";
import { bytesOf, fragment, withUploader } from "./support/setup.ts";

Deno.test("room that another process made is seen, before a save is refused for want of it", async () => {
  const settings = { pending: { quota_items: 3 } };
  await withUploader({ settings }, async ({ uploader, another }) => {
    for (let i = 0; i < 3; i++) {
      await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
    }
    await assert.rejects(uploader.upload(bytesOf(8), fragment(), { sendNow: false }), {
      code: "pending_full",
    });
    const other = await another();
    assert.equal((await other.retry()).stored, 3);
    const outcome = await uploader.upload(bytesOf(9), fragment(), { sendNow: false });
    assert.equal(outcome.status, "pending");
  });
});

Deno.test("nothing is dropped for room that another process has made already", async () => {
  const settings = { pending: { quota_items: 3, when_full: "drop_oldest" as const } };
  await withUploader({ settings }, async ({ uploader, another, names }) => {
    for (let i = 0; i < 3; i++) {
      await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
    }
    const other = await another();
    const [, second, third] = await other.pending();
    await other.drop([second.id, third.id]);
    await uploader.upload(bytesOf(9), fragment(), { sendNow: false });
    assert.equal((await uploader.pending()).length, 2);
    assert.equal(names().filter((name) => name === "dropped").length, 2, "those by hand");
  });
});

Deno.test("who saves is told what the quota dropped for it", async () => {
  const settings = { pending: { quota_items: 2, when_full: "drop_oldest" as const } };
  await withUploader({ settings }, async ({ uploader }) => {
    const ids: string[] = [];
    const dropped: (string[] | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const outcome = await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
      ids.push(outcome.id);
      dropped.push(outcome.dropped);
    }
    assert.deepEqual(dropped, [undefined, undefined, [ids[0]]]);
  });
});
