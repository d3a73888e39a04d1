import { strict as assert } from "node:assert";
import { systemClock } from "../../shared/clock.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import { tokenSession } from "../../shared/uploader/session/session.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";
import { quietPort } from "../support/quiet_port.ts";
import type { Fault } from "./support/fake_service.ts";
import { startHttpService } from "./support/http_service.ts";
import { bytesOf, fragment, withFolder } from "./support/setup.ts";

Deno.test("over real sockets: a server that is away spends no attempt, and gets all once when it is back", async () => {
  await withFolder(async (folder) => {
    const port = quietPort();
    const uploader = await createUploader({
      url: `http://127.0.0.1:${port}/functions/v1`,
      medium: await diskMedium(folder),
      session: tokenSession("token-1"),
    });
    try {
      for (let i = 0; i < 50; i++) {
        const outcome = await uploader.upload(bytesOf(i, 60_000), fragment());
        assert.ok(outcome.status === "pending");
        assert.equal(outcome.reason.code, "server_unreachable");
      }
      const http = await startHttpService({}, port);
      try {
        assert.equal((await uploader.retry()).stored, 50);
        assert.equal(http.service.stored.size, 50);
        assert.ok([...http.service.stored.values()].every((entry) => entry.puts === 1));
        assert.deepEqual(await uploader.pending(), []);
      } finally {
        await http.stop();
      }
    } finally {
      await uploader.stop();
    }
  });
});

Deno.test("over real sockets: broken connections, hangs and error pages spend an attempt each", async () => {
  const faults: (Fault | undefined)[] = [
    "lose_request",
    "hang",
    { answer: 502, html: true },
    undefined,
    "lose_answer",
    undefined,
  ];
  let hangs = Promise.withResolvers<void>();
  const http = await startHttpService({
    fault: () => {
      const fault = faults.shift();
      if (fault === "hang") {
        hangs.resolve();
        hangs = Promise.withResolvers();
      }
      return fault;
    },
  });
  await withFolder(async (folder) => {
    const uploader = await createUploader({
      url: http.service.url,
      medium: await diskMedium(folder),
      session: tokenSession("token-1"),
      // Time is up when the service hangs, however long its other answers take here.
      clock: {
        ...systemClock,
        sleep: (ms, signal) => Promise.race([systemClock.sleep(ms, signal), hangs.promise]),
      },
    });
    try {
      const outcome = await uploader.upload(bytesOf(1), fragment());
      const codes = [outcome.status === "pending" && outcome.reason.code];
      for (let attempt = 2; attempt <= 3; attempt++) {
        await uploader.retry();
        const [item] = await uploader.pending();
        codes.push(item.last_error!.code);
        assert.equal(item.attempt_count, attempt);
      }
      assert.deepEqual(codes, ["connection_lost", "answer_timeout", "http_502"]);
      // The answer that is lost is asked for again: by us, or by the runtime's own fetch on a reused
      // connection.
      for (let attempt = 4; (await uploader.pending()).length > 0; attempt++) {
        assert.ok(attempt <= 5);
        await uploader.retry();
      }
      assert.equal([...http.service.stored.values()][0].puts, 2);
    } finally {
      await uploader.stop();
      await http.stop();
    }
  });
});
