import { strict as assert } from "node:assert";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "../../shared/uploader/cli/options.ts";
import { findFiles, refuseMisplaced } from "../../shared/uploader/cli/push/find_files.ts";
import { placeOf } from "../../shared/uploader/cli/push/place_of.ts";
import { sediment } from "./support/cli.ts";
import { datasetId, withFolder } from "./support/setup.ts";

async function put(folder: string, ...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), path);
  }
}

Deno.test("TABLE/PERIOD/file, Hive's folders and --table say where a file belongs; nothing else does", () => {
  // path below what is pushed, what was said → table and period, or a word of why not
  const cases: [string, { table?: string; period?: string }, [string, string] | RegExp][] = [
    ["battles/2024-11-25/a.parquet", {}, ["battles", "2024-11-25"]],
    ["battles/week-48/a.parquet", {}, ["battles", "week-48"]],
    ["table=battles/period=2024-11-25/a.parquet", {}, ["battles", "2024-11-25"]],
    ["table=battles/period_tag=7/a.parquet", {}, ["battles", "7"]],
    ["period=7/table=battles/a.parquet", {}, ["battles", "7"]],
    ["table=2024/a.parquet", {}, ["2024", "0"]],
    ["table=battles/a.parquet", { period: "7" }, ["battles", "7"]],
    ["a.parquet", { table: "t" }, ["t", "0"]],
    ["a.parquet", { table: "t", period: "7" }, ["t", "7"]],
    ["2024-11-25/a.parquet", { table: "t" }, ["t", "2024-11-25"]],
    ["any/where/at/all/a.parquet", { table: "t", period: "7" }, ["t", "7"]],
    ["period=7/a.parquet", { table: "t" }, ["t", "7"]],
    // `push exports/battles`: its folders are periods
    ["2024-11-25/a.parquet", {}, /1 folder/],
    ["2024/11/a.parquet", {}, /looks like a period/],
    ["a.parquet", {}, /no folder/],
    ["battles/a.parquet", {}, /1 folder/],
    ["battles/2024/11/a.parquet", {}, /3 folders/],
    ["battles/a.parquet", { table: "t" }, /which period/],
    ["battles/2024/a.parquet", { table: "t" }, /which period/],
    ["battles/2024/a.parquet", { period: "7" }, /no table/],
    ["table=battles/2024/a.parquet", {}, /which period/],
    ["table=battles/period=1/hour=3/a.parquet", {}, /hour=3/],
    ["table=battles/a.parquet", { table: "quests" }, /table=battles, and --table says quests/],
    ["table=battles/period=1/a.parquet", { period: "2" }, /period=1, and --period says 2/],
  ];
  for (const [path, given, expected] of cases) {
    const place = placeOf(`in/${path}`, path.split("/").slice(0, -1), given);
    const said = `${path} ${JSON.stringify(given)}: ${JSON.stringify(place)}`;
    if (expected instanceof RegExp) assert.match("why" in place ? place.why : "", expected, said);
    else assert.deepEqual(place, { table: expected[0], period: expected[1] }, said);
  }
});

Deno.test("what is named itself says its table by Hive's folders or not at all", () => {
  const named = (path: string) => placeOf(path, [], {});
  assert.deepEqual(named("out/table=battles/period=3/a.parquet"), {
    table: "battles",
    period: "3",
  });
  assert.deepEqual(named("year=2024/table=battles/a.parquet"), { table: "battles", period: "0" });
  assert.ok("why" in named("exports/battles/2024-11-25/a.parquet"));
  assert.ok("why" in named("battles.parquet"));
});

Deno.test("litter is passed by in silence, links and odd names are told, and a file counts once", async () => {
  await withFolder(async (folder) => {
    await put(folder, "battle/2024-11-25/a.parquet", "battle/0/b.PARQUET", "items/0/i.avro");
    await put(folder, "my table/0/c.parquet", "battle/0/readme.md");
    for (const litter of [".DS_Store", "._b.parquet", "~$x.parquet", "Thumbs.db", "_SUCCESS"]) {
      await put(folder, `battle/0/${litter}`);
    }
    await put(folder, "battle/_delta_log/0.checkpoint.parquet");
    await symlink(join(folder, "items/0/i.avro"), join(folder, "battle", "link.parquet"));
    const { files, passedOver, misplaced } = await findFiles([folder, folder], {});
    assert.deepEqual(
      files.map(({ table, period, format }) => [table, period, format]),
      [["battle", "0", "parquet"], ["battle", "2024-11-25", "parquet"], ["items", "0", "avro"]],
    );
    const told = new Map(passedOver.map(({ path, why }) => [path.slice(folder.length + 1), why]));
    assert.match(told.get("battle/link.parquet")!, /symbolic link/);
    assert.match(told.get("battle/0/readme.md")!, /neither/);
    assert.match(told.get("my table/0/c.parquet")!, /"my table" is no name/);
    assert.deepEqual(misplaced, []);
    const given = await findFiles([join(folder, "my table")], { table: "t", period: "p" });
    assert.deepEqual(given.files.map(({ table, period }) => [table, period]), [["t", "p"]]);
    await assert.rejects(findFiles([join(folder, "battle/0/readme.md")], {}), UsageError);
    await assert.rejects(findFiles([join(folder, "nowhere")], {}), UsageError);
  });
});

Deno.test("a push whose files have no table sends none of them, and shows the three ways", async () => {
  await withFolder(async (folder) => {
    await put(folder, "battles/2024-11-25/a.parquet", "battles/2024/11/b.parquet");
    const env = { SEDIMENT_TOKEN: "t", SEDIMENT_URL: "http://127.0.0.1:1", SEDIMENT_KEY: "k" };
    const push = ["push", "battles", "--dataset", datasetId];
    const { code, err } = await sediment(folder, push, env);
    assert.equal(code, 2);
    for (const way of ["TABLE/PERIOD/file", "table=TABLE/period=PERIOD/file", "--table NAME"]) {
      assert.ok(err.includes(way), err);
    }
    assert.match(err, /2024\/11\/b\.parquet: .*\n.*2024-11-25\/a\.parquet: /);
    assert.equal((await sediment(folder, ["pending"], env)).code, 0);
    assert.throws(() => refuseMisplaced([{ path: "x", why: "y" }]), UsageError);
  });
});

Deno.test("a dry run says each file's table, and makes neither a request nor a pending folder", async () => {
  await withFolder(async (folder) => {
    await put(folder, "in/battles/2024-11-25/a.parquet", "in/notes.txt");
    const dry = ["push", "in", "--dataset", datasetId, "--dry-run"];
    const { code, out } = await sediment(folder, [...dry, "--json"], {});
    const lines = out.trim().split("\n").map((line) => JSON.parse(line));
    assert.equal(code, 1); // the notes would be passed over
    const [file, notes, { summary }] = lines;
    assert.deepEqual([file.status, file.table, file.period], [
      "would_send",
      "battles",
      "2024-11-25",
    ]);
    assert.equal(notes.status, "passed_over");
    assert.deepEqual([summary.input, summary.would_send, summary.passed_over], [2, 1, 1]);
    const text = await sediment(folder, ["push", "in/battles", ...dry.slice(2), "--table", "b"]);
    assert.equal(text.code, 0, text.err);
    assert.match(text.out, /a\.parquet +b +2024-11-25/);
    assert.equal((await sediment(folder, ["pending"])).out.trim(), "nothing is pending");
  });
});
