/** `pull` makes a folder hold a version, and never removes or overwrites what it did not put there. */
import { strict as assert } from "node:assert";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDuckdb, scalar } from "../support/duckdb.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { cliArgs, cliEnv, type Ran, sediment } from "./support/cli.ts";
import {
  type ManifestService,
  type ServedFile,
  startManifestService,
} from "./support/manifest_service.ts";
import { bytesOf, datasetId, withFolder } from "./support/setup.ts";

const served = (id: number, table = "t", period_tag = "0"): ServedFile => ({
  id,
  table,
  period_tag,
  bytes: bytesOf(id),
});

interface Parts {
  folder: string;
  service: ManifestService;
  env: Record<string, string>;
  pull(...more: string[]): Promise<Ran>;
  /** Data files below `data`, sorted. */
  held(): Promise<string[]>;
}

async function withPull(files: ServedFile[], test: (parts: Parts) => Promise<void>): Promise<void> {
  const service = startManifestService(files);
  await withFolder(async (folder) => {
    try {
      const env = { SEDIMENT_TOKEN: "t", SEDIMENT_URL: service.origin, SEDIMENT_KEY: "k" };
      await test({
        folder,
        service,
        env,
        pull: (...more) =>
          sediment(folder, ["pull", "--dataset", datasetId, "--out", "data", ...more], env),
        held: async () =>
          (await readdir(join(folder, "data"), { recursive: true }).catch(() => []))
            .filter((name) => name.endsWith(".parquet") && !name.startsWith(".sediment"))
            .sort(),
      });
    } finally {
      await service.stop();
    }
  });
}

const summaryOf = ({ out }: Ran) => JSON.parse(out.trim().split("\n").at(-1)!).summary;

Deno.test("a pull after a compaction holds the new version's files and no others", async () => {
  await withPull([served(1), served(2), served(3), served(4, "u")], async (parts) => {
    const { folder, service, pull, held } = parts;
    const first = await pull("--json");
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(await held(), [
      "t/0/1.parquet",
      "t/0/2.parquet",
      "t/0/3.parquet",
      "u/0/4.parquet",
    ]);
    service.files = [served(3), served(4, "u"), served(9)];
    service.version = 2;
    service.sent.length = 0;
    const second = await pull("--json");
    const { version, downloaded, unchanged, removed } = summaryOf(second);
    assert.deepEqual([second.code, version, downloaded, unchanged, removed], [0, 2, 1, 2, 2]);
    assert.deepEqual(await held(), ["t/0/3.parquet", "t/0/9.parquet", "u/0/4.parquet"]);
    assert.deepEqual(service.sent, ["9"]);
    assert.deepEqual(
      new Uint8Array(await readFile(join(folder, "data/t/0/9.parquet"))),
      bytesOf(9),
    );
    assert.deepEqual(service.queries.filter((query) => query.has("cursor")).length, 2);
  });
});

Deno.test("what somebody has changed or added in the folder stays, and is named", async () => {
  await withPull([served(1), served(2)], async ({ folder, service, pull, held }) => {
    await pull();
    await writeFile(join(folder, "data/t/0/1.parquet"), "edited");
    await writeFile(join(folder, "data/t/0/own.parquet"), "mine");
    service.files = [served(3)];
    service.version = 2;
    const ran = await pull();
    assert.equal(ran.code, 1);
    assert.match(ran.err, /left t\/0\/1\.parquet .*changed here/);
    assert.deepEqual(await held(), ["t/0/1.parquet", "t/0/3.parquet", "t/0/own.parquet"]);
    assert.equal(await readFile(join(folder, "data/t/0/1.parquet"), "utf8"), "edited");
    // It is named until somebody takes it away.
    assert.match((await pull()).err, /left t\/0\/1\.parquet/);
    await rm(join(folder, "data/t/0/1.parquet"));
    assert.equal((await pull()).code, 0);
  });
});

Deno.test("a pull of one table leaves the files of the others", async () => {
  await withPull([served(1, "a"), served(2, "b")], async ({ service, pull, held }) => {
    await pull();
    service.files = [served(3, "a"), served(4, "b")];
    service.version = 2;
    assert.equal((await pull("--table", "a")).code, 0);
    assert.deepEqual(await held(), ["a/0/3.parquet", "b/0/2.parquet"]);
    assert.equal((await pull("--table", "nothing")).code, 0);
    assert.deepEqual(await held(), ["a/0/3.parquet", "b/0/2.parquet"]);
  });
});

Deno.test("a folder of another dataset or server is refused, and so is one with files in the way", async () => {
  await withPull([served(1)], async ({ folder, service, env, pull, held }) => {
    await pull();
    const other = "1b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f";
    service.files = [served(7)];
    const refused = await sediment(folder, ["pull", "--dataset", other, "--out", "data"], env);
    assert.equal(refused.code, 2);
    assert.match(refused.err, new RegExp(`holds dataset ${datasetId}`));
    const elsewhere = startManifestService([served(7)]);
    const there = await sediment(
      folder,
      ["pull", "--dataset", datasetId, "--out", "data"],
      { ...env, SEDIMENT_URL: elsewhere.origin },
    );
    await elsewhere.stop();
    assert.equal(there.code, 2);
    assert.deepEqual(await held(), ["t/0/1.parquet"]);
    await writeFile(join(folder, "data/t/0/7.parquet"), "mine");
    const inTheWay = await pull();
    assert.equal(inTheWay.code, 2);
    assert.match(inTheWay.err, /7\.parquet is in the way/);
    assert.equal(await readFile(join(folder, "data/t/0/7.parquet"), "utf8"), "mine");
    assert.deepEqual(await held(), ["t/0/1.parquet", "t/0/7.parquet"]);
  });
});

Deno.test("half a pull leaves the old version whole, and the next one brings the rest only", async () => {
  await withPull([served(1), served(2)], async ({ service, pull, held }) => {
    await pull();
    service.files = [served(5), served(6), served(7)];
    service.version = 2;
    service.refuse = ({ id }) => id === 6 ? new Response("no", { status: 503 }) : undefined;
    service.sent.length = 0;
    const half = await pull("--json");
    assert.equal(half.code, 1);
    assert.deepEqual([summaryOf(half).switched, summaryOf(half).version], [false, 1]);
    assert.deepEqual(await held(), ["t/0/1.parquet", "t/0/2.parquet"]);
    service.refuse = undefined;
    assert.deepEqual(service.sent.toSorted(), ["5", "7"]);
    assert.equal((await pull()).code, 0);
    assert.deepEqual(service.sent.toSorted(), ["5", "6", "7"]);
    assert.deepEqual(await held(), ["t/0/5.parquet", "t/0/6.parquet", "t/0/7.parquet"]);
  });
});

Deno.test("Ctrl-C in a pull is exit code 130, with the old version whole", async () => {
  await withPull([served(1)], async ({ folder, service, env, pull, held }) => {
    await pull();
    service.files = Array.from({ length: 20 }, (_, i) => served(100 + i));
    service.version = 2;
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs(["pull", "--dataset", datasetId, "--out", "data"]),
      cwd: folder,
      env: { ...cliEnv(folder), ...env },
      stdout: "null",
      stderr: "null",
    }).spawn();
    service.refuse = async () => {
      if (service.sent.length >= 5) {
        child.kill("SIGINT");
        await child.status;
      }
      return undefined;
    };
    assert.equal((await child.status).code, 130);
    assert.deepEqual(await held(), ["t/0/1.parquet"]);
    service.refuse = undefined;
    assert.equal((await pull()).code, 0);
    assert.equal((await held()).length, 20);
  });
});

Deno.test("a switch that was cut off after any file is ended by the next pull, without a download", async () => {
  await withPull([served(1), served(2)], async ({ folder, service, pull, held }) => {
    const at = (...path: string[]) => join(folder, "data", ...path);
    await pull();
    const before = await readFile(at(".sediment/pull.json"), "utf8");
    service.files = [served(5), served(6)];
    service.version = 2;
    await pull();
    const after = JSON.parse(await readFile(at(".sediment/pull.json"), "utf8"));
    for (let moved = 0; moved <= 4; moved++) {
      // As the disk is after so many of the four steps: two files in, two files out.
      await rm(at("t"), { recursive: true });
      await mkdir(at("t/0"), { recursive: true });
      const next = { version: 2, files: after.files };
      await writeFile(at(".sediment/pull.json"), JSON.stringify({ ...JSON.parse(before), next }));
      for (const [i, id] of [5, 6].entries()) {
        const place = i < moved
          ? at(`t/0/${id}.parquet`)
          : at(`.sediment/incoming/t.0.${id}.parquet`);
        await writeFile(place, bytesOf(id));
      }
      for (const [i, id] of [1, 2].entries()) {
        if (i >= moved - 2) await writeFile(at(`t/0/${id}.parquet`), bytesOf(id));
      }
      service.sent.length = 0;
      const ended = await pull("--json");
      assert.equal(ended.code, 0, `${moved}: ${ended.err}`);
      assert.deepEqual(await held(), ["t/0/5.parquet", "t/0/6.parquet"], `${moved}`);
      assert.deepEqual(service.sent, []);
    }
  });
});

Deno.test("files that the service can't read are counted and named, and the others come", async () => {
  const lost = { ...served(2), error: { code: "object_missing", message: "the store lost it" } };
  await withPull([served(1), lost, served(3)], async ({ service, pull, held }) => {
    service.refuse = ({ id }) =>
      id === 3 ? Response.json({ code: "object_missing" }, { status: 500 }) : undefined;
    const ran = await pull("--json");
    assert.equal(ran.code, 1);
    assert.deepEqual([summaryOf(ran).downloaded, summaryOf(ran).unreadable], [1, 2]);
    const lines = ran.out.trim().split("\n").map((line) => JSON.parse(line));
    const [two] = lines.filter(({ path }) => path === "t/0/2.parquet");
    assert.deepEqual([two.status, two.message], ["unreadable", "the store lost it"]);
    assert.deepEqual(await held(), ["t/0/1.parquet"]);
  });
});

Deno.test("a URL that has ended is asked for anew, and a short body is no file", async () => {
  await withPull([served(1), served(2)], async ({ service, pull }) => {
    service.refuse = ({ id }, times) =>
      times > 1
        ? undefined
        : id === 1
        ? Response.json({ error: "InvalidJWT" }, { status: 400 })
        : new Response("short");
    const ran = await pull("--json");
    assert.equal(ran.code, 0, ran.err);
    assert.equal(summaryOf(ran).downloaded, 2);
    assert.ok(service.queries.at(-1)!.get("version"), "the version stays the one that was listed");
  });
});

Deno.test("--as-of asks for a version, and --keep leaves the files of older ones until it isn't said", async () => {
  await withPull([served(1)], async ({ service, pull, held }) => {
    assert.equal((await pull("--as-of", "1")).code, 0);
    assert.equal(service.queries.at(-1)!.get("version"), "1");
    assert.equal((await pull("--as-of", "yesterday")).code, 2);
    service.files = [served(2)];
    service.version = 2;
    assert.equal((await pull("--keep")).code, 0);
    assert.deepEqual(await held(), ["t/0/1.parquet", "t/0/2.parquet"]);
    assert.equal((await pull()).code, 0);
    assert.deepEqual(await held(), ["t/0/2.parquet"]);
  });
});

Deno.test("no name of the server and no link in the folder leads out of it", async () => {
  for (const [id, table, period_tag] of [["../x", "t", "0"], [1, "..", "0"], [1, "t", "../.."]]) {
    const file = { ...served(1), id, table: String(table), period_tag: String(period_tag) };
    await withPull([file], async ({ pull, held }) => {
      const ran = await pull();
      assert.deepEqual([ran.code, /unexpected_answer/.test(ran.err)], [1, true], ran.err);
      assert.deepEqual(await held(), []);
    });
  }
  await withPull([served(1)], async ({ folder, pull }) => {
    await mkdir(join(folder, "outside"));
    await mkdir(join(folder, "data"));
    await symlink(join(folder, "outside"), join(folder, "data/t"));
    assert.equal((await pull()).code, 2);
    assert.deepEqual(await readdir(join(folder, "outside")), []);
  });
  // A state that a stranger wrote, to have files removed.
  await withPull([served(1)], async ({ folder, pull }) => {
    await pull();
    await writeFile(join(folder, "victim"), "x");
    const path = join(folder, "data/.sediment/pull.json");
    const state = JSON.parse(await readFile(path, "utf8"));
    state.files[0].path = "../victim";
    await writeFile(path, JSON.stringify(state));
    assert.equal((await pull()).code, 2);
    assert.equal(await readFile(join(folder, "victim"), "utf8"), "x");
  });
});

Deno.test("rm takes away what pulls have put there, and nothing else", async () => {
  await withPull([served(1), served(2, "u")], async ({ folder, env, pull, held }) => {
    await pull();
    await writeFile(join(folder, "data/t/0/own.parquet"), "mine");
    const removed = await sediment(folder, ["rm", "data"], env);
    assert.equal(removed.code, 0, removed.err);
    assert.deepEqual(await held(), ["t/0/own.parquet"]);
    assert.deepEqual(await readdir(join(folder, "data")), ["t"]);
    assert.equal((await sediment(folder, ["rm", "data"], env)).code, 2);
    assert.equal((await sediment(folder, ["rm", "."], env)).code, 2);
  });
});

Deno.test("DuckDB reads a view of each table by the script, over files and over URLs", async () => {
  const file = (id: number, table: string, numbers: number[]) => ({
    ...served(id, table),
    bytes: tinyParquet(numbers),
  });
  const files = [file(1, "a", [1, 2]), file(2, "a", [3]), file(3, "b-c", [4])];
  await withPull(files, async ({ folder, service, env, pull }) => {
    assert.equal((await pull()).code, 0);
    const script = await readFile(join(folder, "data/sediment.sql"), "utf8");
    const connection = await openDuckdb();
    await connection.run(script);
    assert.equal(await scalar(connection, "select count(*) from a"), 3);
    assert.equal(await scalar(connection, 'select count(*) from "b-c"'), 1);
    connection.closeSync();

    await mkdir(join(folder, "here"));
    service.sent.length = 0;
    const inPlace = ["pull", "--dataset", datasetId, "--duckdb", "--out", "here"];
    const ran = await sediment(folder, inPlace, env);
    assert.deepEqual([ran.code, ran.out.trim()], [0, "here/sediment.sql"], ran.err);
    assert.deepEqual(service.sent, []);
    const urls = await readFile(join(folder, "here/sediment.sql"), "utf8");
    assert.equal(urls.match(/create or replace view/g)?.length, 2);
    assert.equal(urls.match(/http:/g)?.length, 3);
    await writeFile(join(folder, "here/sediment.sql"), "-- my own\n");
    assert.equal((await sediment(folder, inPlace, env)).code, 2);
    assert.equal(await readFile(join(folder, "here/sediment.sql"), "utf8"), "-- my own\n");
  });
});

Deno.test("sql asks DuckDB over the views of a pulled folder", async () => {
  const numbers = { ...served(1, "a"), bytes: tinyParquet([1, 2, 39]) };
  await withPull([numbers], async ({ folder, env, pull }) => {
    await pull();
    // Whatever stands on the PATH: the npm package is what these tests have.
    const ours = { ...env, DUCKDB: "no-such-command" };
    const ask = (...words: string[]) => sediment(folder, ["sql", ...words], ours);
    const json = await ask("select count(*) as n from a", "--in", "data", "--json");
    assert.equal(json.code, 0, json.err);
    assert.deepEqual(json.out.trim().split("\n").map((line) => JSON.parse(line)), [{ n: "3" }]);
    const text = await ask("select count(*) as n from a", "--in", "data");
    assert.match(text.out, /n\n3/);
    const wrong = await ask("select nothing from a", "--in", "data");
    assert.deepEqual([wrong.code, /nothing/.test(wrong.err)], [2, true], wrong.err);
    assert.equal((await ask("select 1", "--in", "nowhere")).code, 2);
  });
});
