import { strict as assert } from "node:assert";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adoptPairs } from "../../packages/client/pairs.ts";
import { SedimentError } from "../../shared/errors.ts";
import type { UploadMetaInput } from "../../shared/uploader/upload_meta.ts";

const ann = "11111111-1111-4111-8111-111111111111";
const url = "https://project.example/functions/v1";
const tokenOf = (sub: string) => `h.${btoa(JSON.stringify({ sub }))}.s`;
const idOf = (n: number) => `${n}a000000-0000-4000-8000-000000000000`;

/** A folder of pairs, and what a program's uploader was given of them. */
async function withPairs(
  userId: string | null,
  refuse: (meta: UploadMetaInput) => SedimentError | null,
  use: (parts: {
    pair(n: number, owner: string | null, key: string): Promise<void>;
    adopt(): ReturnType<typeof adoptPairs>;
    taken: { key: string; bytes: number[] }[];
    lines: string[];
    names(): Promise<string[]>;
  }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sediment-pairs-"));
  const taken: { key: string; bytes: number[] }[] = [];
  const lines: string[] = [];
  try {
    await use({
      taken,
      lines,
      async pair(n, owner, key) {
        const headers = owner === null ? {} : { authorization: `Bearer ${tokenOf(owner)}` };
        const context = JSON.stringify({ relative_path: "kcs2\\a.png", key, file_size: 1 });
        const target_url = `${url}/asset-sync/upload`;
        await writeFile(join(folder, `${idOf(n)}.bin`), Uint8Array.of(n));
        const record = { id: idOf(n), target_url, headers, context };
        await writeFile(join(folder, `${idOf(n)}.json`), JSON.stringify(record));
      },
      adopt: () =>
        adoptPairs({
          upload(source, meta) {
            const error = refuse(meta);
            if (error !== null) return Promise.reject(error);
            const { key } = meta as { key: string };
            taken.push({ key, bytes: [...source as Uint8Array] });
            return Promise.resolve({ status: "pending", id: "i", evicted: [] } as never);
          },
        }, {
          folder,
          url,
          session: { userId: () => userId, credential: () => Promise.resolve(null) },
          say: (line) => lines.push(line),
        }),
      names: async () => (await readdir(folder)).sort(),
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test("a program takes over what the desktop client left for its user, and is told why the rest stays", async () => {
  await withPairs(ann, () => null, async ({ pair, adopt, taken, lines, names }) => {
    await pair(1, ann, "a.png");
    await pair(2, "22222222-2222-4222-8222-222222222222", "b.png");
    await pair(3, null, "c.png");
    assert.deepEqual(await adopt(), {
      adopted: 2,
      left: [{
        name: `${idOf(2)}.json`,
        why: "it is of another user, 22222222-2222-4222-8222-222222222222",
      }],
    });
    assert.deepEqual(taken, [{ key: "a.png", bytes: [1] }, { key: "c.png", bytes: [3] }]);
    assert.deepEqual(await names(), [`${idOf(2)}.bin`, `${idOf(2)}.json`]);
    assert.match(lines[0], /^took 2 pending assets over from /);
    assert.match(lines[1], /2a000000.* as it is: it is of another user/);
    assert.equal((await adopt()).adopted, 0);
  });
});

Deno.test("while nobody is signed in all pairs stay where they are", async () => {
  await withPairs(null, () => null, async ({ pair, adopt, taken, names }) => {
    await pair(1, ann, "a.png");
    await pair(2, null, "b.png");
    assert.equal((await adopt()).left.length, 2);
    assert.deepEqual(taken, []);
    assert.equal((await names()).length, 4);
  });
});

Deno.test("a pair that the uploader refuses stays, and a folder that is full stops the rest", async () => {
  const refused = new SedimentError("invalid_name", "the key hides characters");
  const full = new SedimentError("pending_full", "there is no room");
  const refuse = (meta: UploadMetaInput) =>
    (meta as { key: string }).key === "a.png" ? refused : full;
  await withPairs(ann, refuse, async ({ pair, adopt, names }) => {
    await pair(1, ann, "a.png");
    assert.deepEqual((await adopt()).left.map(({ why }) => why), ["the key hides characters"]);
    await pair(2, ann, "b.png");
    await assert.rejects(adopt(), /no room/);
    assert.equal((await names()).length, 4);
  });
});
