import { strict as assert } from "node:assert";
import { SedimentError } from "../../shared/errors.ts";
import { diskMedium } from "../../shared/uploader/pending/media/disk_medium.ts";
import { credentialOf, type Session } from "../../shared/uploader/session/session.ts";
import { createUploader } from "../../shared/uploader/uploader.ts";
import { FakeService } from "./support/fake_service.ts";
import { bytesOf, fragment, tokenOf, withFolder, withUploader } from "./support/setup.ts";

const noNetwork = new SedimentError("server_unreachable", "the session can't be refreshed");

/** A session whose token runs out where there is no network. */
function lapsingSession(): Session & { token: string | null; online: boolean; asked: number } {
  return {
    token: null,
    online: true,
    asked: 0,
    credential() {
      this.asked++;
      if (!this.online) return Promise.reject(noNetwork);
      return Promise.resolve(this.token === null ? null : credentialOf(this.token));
    },
  };
}

async function withSession(
  session: Session,
  test: (
    open: () => ReturnType<typeof createUploader>,
    service: FakeService,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const service = new FakeService({ userOf: (token) => credentialOf(token).userId });
    const opened: Awaited<ReturnType<typeof createUploader>>[] = [];
    try {
      await test(async () => {
        const { url, fetch } = service;
        const medium = await diskMedium(folder);
        opened.push(await createUploader({ url, fetch, medium, session }));
        return opened.at(-1)!;
      }, service);
    } finally {
      for (const one of opened) await one.stop();
    }
  });
}

Deno.test("what a user saves when the session can't be refreshed is not sent as the next user's", async () => {
  const session = lapsingSession();
  await withSession(session, async (open, service) => {
    session.token = tokenOf("ann");
    const before = await open();
    await before.upload(bytesOf(1), fragment());
    session.online = false;
    const anew = () => fragment("battle", { dataset_id: crypto.randomUUID() });
    await before.upload(bytesOf(2), anew());
    await before.stop();
    const restarted = await open(); // still without a network: who is it?
    await restarted.upload(bytesOf(3), anew());
    session.online = true;
    session.token = tokenOf("bob");
    await restarted.retry();
    assert.deepEqual([...service.stored.values()].map(({ user }) => user), ["ann"]);
    session.token = tokenOf("ann");
    await restarted.retry();
    assert.deepEqual([...service.stored.values()].map(({ user }) => user), ["ann", "ann", "ann"]);
  });
});

Deno.test("what is saved after a sign-out belongs to nobody, and goes with the next sign-in", async () => {
  const session = lapsingSession();
  await withSession(session, async (open, service) => {
    const uploader = await open();
    session.token = tokenOf("ann");
    await uploader.upload(bytesOf(1), fragment("a", { dataset_id: crypto.randomUUID() }));
    session.token = null;
    await uploader.upload(bytesOf(2), fragment("b"));
    session.token = tokenOf("bob");
    await uploader.retry();
    assert.deepEqual([...service.stored.values()].map(({ user }) => user), ["ann", "bob"]);
  });
});

Deno.test("a session that says whose it is, is not asked for a token before the bytes are saved", async () => {
  const session = { ...lapsingSession(), userId: () => "ann" };
  session.credential = () => new Promise(() => {}); // a network that swallows all
  await withSession(session, async (open) => {
    const uploader = await open();
    await uploader.upload(bytesOf(1), fragment(), { sendNow: false });
    assert.equal((await uploader.pending())[0].user_id, "ann");
  });
});

Deno.test("a session that can't be asked is asked once, not once for each upload", async () => {
  const session = { ...lapsingSession(), userId: () => "ann", online: false };
  await withSession(session, async (open, service) => {
    const uploader = await open();
    for (let i = 0; i < 20; i++) {
      const outcome = await uploader.upload(bytesOf(i), fragment());
      assert.ok(outcome.status === "pending" && outcome.reason.code === "server_unreachable");
    }
    assert.equal(session.asked, 1);
    assert.equal(uploader.state().pause?.why, "offline");
    assert.equal(service.requests.length, 0);
  });
});

Deno.test("a new session lifts the park for a single upload, the refused one does not", async () => {
  await withUploader(
    { service: { userOf: (token) => token === "good" ? "u" : null } },
    async ({ uploader, service, session }) => {
      await uploader.upload(bytesOf(1), fragment());
      const held = await uploader.upload(bytesOf(2), fragment());
      assert.ok(held.status === "pending" && held.reason.code === "unauthenticated");
      assert.equal(service.requests.length, 1);
      session.token = "good"; // and nobody says so
      assert.equal((await uploader.upload(bytesOf(3), fragment())).status, "stored");
      assert.equal(uploader.state().state, "idle");
    },
  );
});

Deno.test("a sign-out in the middle of a batch ends it before the next item", async () => {
  await withUploader({ settings: { upload: { concurrency: 1 } } }, async (setup) => {
    const { uploader, service, session } = setup;
    for (let i = 0; i < 5; i++) {
      await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
    }
    service.fault = (request) => {
      if (request.step === "put") {
        session.token = null;
        session.emit("SIGNED_OUT");
      }
      return undefined;
    };
    const report = await uploader.retry();
    assert.deepEqual([report.stored, service.stored.size], [1, 1]);
    assert.deepEqual((await uploader.pending()).map((item) => item.attempt_count), [0, 0, 0, 0]);
    assert.equal(uploader.state().park?.refused, null);
  });
});

Deno.test("a token refreshed in the middle of a batch is used from the next item on", async () => {
  await withUploader({ settings: { upload: { concurrency: 1 } } }, async (setup) => {
    const { uploader, service, session } = setup;
    for (let i = 0; i < 3; i++) {
      await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
    }
    let refreshes = 1;
    service.fault = (request) => {
      if (request.step === "put") session.token = `token-${++refreshes}`;
      return undefined;
    };
    assert.equal((await uploader.retry()).stored, 3);
    const tokens = service.requests.filter(({ step }) => step === "begin").map((r) => r.token);
    assert.deepEqual(tokens, ["token-1", "token-2", "token-3"]);
  });
});

Deno.test("another user who signs in in the middle of a batch sends nothing of the first one's", async () => {
  const settings = { upload: { concurrency: 1 } };
  const service = { userOf: (token: string) => credentialOf(token).userId };
  await withUploader({ settings, service, token: tokenOf("ann") }, async (setup) => {
    const { uploader, service, session } = setup;
    for (let i = 0; i < 4; i++) {
      await uploader.upload(bytesOf(i), fragment(), { sendNow: false });
    }
    service.fault = (request) => {
      if (request.step === "put") session.token = tokenOf("bob");
      return undefined;
    };
    const report = await uploader.retry();
    assert.deepEqual([report.stored, report.attempted], [1, 1]);
    assert.ok(service.requests.every(({ token }) => credentialOf(token!).userId === "ann"));
    assert.equal((await uploader.pending()).length, 3);
  });
});
