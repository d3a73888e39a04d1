/** What commands make of answers that are not the service's. */
import { strict as assert } from "node:assert";
import type * as z from "zod/mini";
import { SedimentError } from "../../shared/errors.ts";
import * as answers from "../../shared/uploader/cli/answers.ts";
import { getJson, listFiles } from "../../shared/uploader/cli/api.ts";
import { askAuth } from "../../shared/uploader/cli/auth_api.ts";
import type { Project } from "../../shared/uploader/cli/open.ts";
import { sediment } from "./support/cli.ts";
import { datasetId, withFolder } from "./support/setup.ts";

/** A project whose server answers each request so. */
async function withAnswers(
  answer: (request: Request) => string | Response,
  use: (project: Project) => Promise<void>,
): Promise<void> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const said = answer(request);
    return typeof said === "string" ? new Response(said) : said;
  });
  try {
    const session = { credential: () => Promise.resolve({ token: "t" }) };
    const url = `http://127.0.0.1:${server.addr.port}`;
    await use({ url, session } as unknown as Project);
  } finally {
    await server.shutdown();
  }
}

const isUnexpected = (error: unknown) =>
  error instanceof SedimentError && error.code === "unexpected_answer";

const file = {
  id: 1,
  table: "t",
  period_tag: "0",
  size: 4,
  level: 0,
  state: "active",
  row_count: 1,
  row_group_count: 1,
  url: "http://x/",
  url_expires_at: "2026-01-01T00:00:00Z",
  sha256: "0".repeat(64),
  error: { code: "object_missing", message: "it is gone" },
};

/** Of each shape an answer in which all is there that a command reads. */
const samples: Record<string, unknown> = {
  filePage: { version: 1, files: [file], next_cursor: "c" },
  runStatus: {
    status: "running",
    state: "running",
    instanceId: "i",
    operation: "compaction",
    table: "t",
    period_tag: "0",
    step: "merge",
    attempts: 1,
    queued_at: "2026-01-01T00:00:00Z",
    completed_at: "2026-01-01T00:00:00Z",
    next_attempt_at: "2026-01-01T00:00:00Z",
    output: {
      files_before: 2,
      files_after: 1,
      row_groups_before: 2,
      row_groups_after: 1,
      bytes_before: 20,
      bytes_after: 10,
    },
    error: { code: "store_failed", message: "m", step: "merge" },
  },
  receipt: { deletion_id: "d", state: "marked", done: false, files: 1, rows: 2, bytes: 3 },
  keyList: {
    keys: [{
      key_id: "k",
      label: "l",
      state: "ended",
      end_reason: "revoked",
      ended_at: "2026-01-01T00:00:00Z",
      expires_at: "2026-01-01T00:00:00Z",
      last_used_at: "2026-01-01T00:00:00Z",
    }],
  },
  newKey: { key_id: "k", secret: "s", expires_at: "2026-01-01T00:00:00Z" },
  revocation: { revoked: true },
  memberList: {
    owner_id: "o",
    members: [{ user_id: "u", role: "reader", since: "2026-01-01T00:00:00Z" }],
    invitations: [{ invitation_id: "i", role: "reader", user_id: "u", expires_at: "x" }],
  },
  offer: { token: "t", expires_at: "2026-01-01T00:00:00Z" },
  membership: { role: "reader", dataset_id: "d" },
  removal: { removed: true },
  renamed: { table: "t", aliases: ["u"] },
};

/** The value once for each place in it, with an object there whose text can't be had, or a text in an object's. */
function* spoiled(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return yield { toString: 1, valueOf: 1 };
  yield "x";
  for (const [name, member] of Object.entries(value)) {
    for (const odd of spoiled(member)) {
      yield Array.isArray(value) ? value.with(Number(name), odd) : { ...value, [name]: odd };
    }
  }
}

Deno.test("an answer with an object in place of any of its texts and numbers is told as none of the service's", async () => {
  assert.deepEqual(Object.keys(samples).sort(), Object.keys(answers).sort());
  for (const [name, sample] of Object.entries(samples)) {
    const shape = answers[name as keyof typeof answers] as z.ZodMiniType<unknown>;
    let said = JSON.stringify({ ...sample as object, more: 1 });
    await withAnswers(() => said, async (project) => {
      assert.deepEqual(await getJson(project, "x", shape), JSON.parse(said));
      for (const odd of spoiled(sample)) {
        said = JSON.stringify(odd);
        await assert.rejects(getJson(project, "x", shape), isUnexpected, said);
      }
      for (said of ["null", "[]", '"x"', "<html>", "{}", "[".repeat(2e5) + "]".repeat(2e5)]) {
        await assert.rejects(getJson(project, "x", shape), isUnexpected, said.slice(0, 20));
      }
    });
  }
});

Deno.test("a problem whose members are no texts is told by its status", async () => {
  const odd = { toString: 1 };
  const body = JSON.stringify({ code: odd, detail: odd, field: odd, expected: odd });
  await withAnswers(() => new Response(body, { status: 418 }), async (project) => {
    await assert.rejects(getJson(project, "x", answers.revocation), (error: SedimentError) => {
      assert.deepEqual([error.code, error.message], ["unexpected_answer", "x: HTTP 418"]);
      assert.deepEqual([error.field, error.expected], [undefined, undefined]);
      return true;
    });
  });
});

Deno.test("a list of more files than a call has arguments is one, and a page that follows itself is none", async () => {
  const files = Array(130_000).fill({ ...file, error: undefined });
  const page = JSON.stringify({ version: 3, files, next_cursor: null });
  await withAnswers(() => page, async (project) => {
    const { version, files } = await listFiles(project, {});
    assert.deepEqual([version, files.length], [3, 130_000]);
  });
  const again = JSON.stringify({ version: 3, files: [], next_cursor: "same" });
  await withAnswers(() => again, async (project) => {
    await assert.rejects(listFiles(project, {}), isUnexpected);
  });
});

Deno.test("what Auth's address answers makes a session or is told as what it is", async () => {
  const good = { access_token: "a", refresh_token: "r", expires_in: 60, user: { email: "e@x" } };
  const cases: [status: number, body: unknown, code: string | null][] = [
    [200, good, null],
    [200, { ...good, user: null }, null],
    [200, { ...good, refresh_token: { toString: 1 } }, "server_unreachable"],
    [200, { ...good, expires_in: 1e300 }, "server_unreachable"],
    [200, { ...good, expires_in: { valueOf: 1, toString: 1 } }, "server_unreachable"],
    [400, { code: "constructor", msg: { toString: 1 } }, "unauthenticated"],
    [400, { error_code: "__proto__" }, "unauthenticated"],
  ];
  for (const [status, body, code] of cases) {
    const answer = () => new Response(JSON.stringify(body), { status });
    await withAnswers(answer, async ({ url }) => {
      const asked = askAuth(url, "k", "token", {});
      if (code === null) return assert.equal((await asked).access_token, "a");
      await assert.rejects(asked, (error) => (error as SedimentError).code === code);
    });
  }
  const bell = { ...good, user: { email: "a\u001b]0;x\u0007@x" } };
  await withAnswers(() => JSON.stringify(bell), async ({ url }) => {
    assert.equal((await askAuth(url, "k", "token", {})).email, "a\ufffd]0;x\ufffd@x");
  });
});

Deno.test("commands end with the answer's fault in words, and no trace of the program", async () => {
  const listing = (id: unknown) => JSON.stringify({ version: 1, files: [{ ...file, id }] });
  const cases: [args: string[], answer: string][] = [
    [["ls", "--dataset", datasetId], listing(null)],
    [["ls", "--dataset", datasetId], listing({})],
    [["tables", "--dataset", datasetId], '{"version":1,"tables":[null]}'],
    [["keys", "--dataset", datasetId], "{}"],
  ];
  for (const [args, answer] of cases) {
    await withAnswers(() => answer, async ({ url }) => {
      await withFolder(async (folder) => {
        const env = { SEDIMENT_TOKEN: "t", SEDIMENT_URL: url, SEDIMENT_KEY: "k" };
        const { code, err } = await sediment(folder, args, env);
        assert.equal(code, 1, err);
        assert.match(err, /^unexpected_answer: [^\n]+\n$/);
      });
    });
  }
});
