/** What is changed by the console in a real Chromium: settings, dead letters, files in quarantine; and rows that it reads. */
import { strict as assert } from "node:assert";
import { parquetWriteBuffer } from "hyparquet-writer";
import postgres from "postgres";
import { pageAssets, startProxy } from "../../shared/console/local_console.ts";
import { startStack } from "../../supabase/local/stack.ts";
import { noBrowser, openBrowser, openPage, picture } from "../support/browser.ts";
import { signUp, until } from "../support/client.ts";
import { tinyParquet } from "../support/tiny_parquet.ts";
import { giveUpOne, uploadNumbers } from "./console_world.ts";

/** A file whose columns are of the kinds that are read differently. */
const kinds = new Uint8Array(parquetWriteBuffer({
  columnData: [
    { name: "n", data: [40, 41], type: "INT32" },
    { name: "at", data: [new Date("2024-11-25T01:02:03.004Z"), null], type: "TIMESTAMP" },
    { name: "id", data: [9007199254740993n, -1n], type: "INT64" },
    { name: "said", data: ["ä<b>", null], type: "STRING" },
  ],
  codec: "UNCOMPRESSED",
}));

Deno.test({
  name: "what the console changes",
  ignore: noBrowser("tests/e2e/console_changes_test.ts"),
}, async (t) => {
  await using stack = await startStack({ tickSeconds: 0.3, cronSeconds: { sediment_sweep: 1 } });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const browser = await openBrowser();
  try {
    const alice = await signUp(stack, "alice@example.com");
    const dataset = crypto.randomUUID();
    await sql`update service_settings set max_workers = 0`;
    for (let n = 0; n < 4; n++) await uploadNumbers(stack, alice, dataset, "battles", n * 10);
    await giveUpOne(sql, "battles", "the disk is full");
    await sql`update service_settings set max_workers = 0`;
    await uploadNumbers(stack, alice, dataset, "quests", 0);
    await uploadNumbers(stack, alice, dataset, "quests", 0, kinds);
    await uploadNumbers(stack, alice, dataset, "maps", 0);
    await uploadNumbers(stack, alice, dataset, "maps", 10);
    await sql`update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page', quarantine_reason =
      'page 3 of column hp: its CRC is another', quarantined_at = now() where "table" = 'maps' and seq_min = 1`;

    /** The page of an operator, at a view. */
    const operator = async (path: string) => {
      const opened = await openPage(browser);
      await opened.page.goto(`${stack.url}/console#/${path}`);
      await opened.page.getByRole("button", { name: "Operator" }).click();
      await opened.page.getByLabel("Secret key").fill(stack.secretKey);
      await opened.page.getByRole("button", { name: "Sign in" }).click();
      return opened;
    };

    await t.step(
      "a setting is refused at its field by the checks of SQL, or changed and told of",
      async () => {
        const { page, wrong } = await operator("settings");
        await page.getByLabel("Filter settings").fill("min_inputs");
        await page.getByRole("button", { name: "Change min_inputs" }).click();
        const field = page.getByRole("textbox", { name: "min_inputs" });
        for (
          const [text, says] of [["0", "min_inputs >= 1"], ["many", "integer"], [
            "",
            "must be a value",
          ]]
        ) {
          await field.fill(text);
          await page.getByRole("button", { name: "Save" }).click();
          await page.getByRole("alert").filter({ hasText: says }).waitFor();
          assert.equal(await field.getAttribute("aria-invalid"), "true");
        }
        await picture(page, "setting-refused");
        assert.equal(wrong.splice(0).length, 3, "the browser tells of each 400");
        await field.fill("6");
        await page.getByRole("button", { name: "Save" }).click();
        const row = page.getByRole("table", { name: "Changes" }).getByRole("row")
          .filter({ hasText: "min_inputs" });
        await row.filter({ hasText: "key default" }).waitFor();
        assert.equal((await sql`select min_inputs from service_settings`)[0].min_inputs, 6);
        await page.getByRole("button", { name: "Change min_inputs" }).click();
        await page.getByRole("button", { name: "Default" }).click();
        await until(
          "it is what it was",
          10,
          async () => (await sql`select min_inputs from service_settings`)[0].min_inputs === 4,
        );

        // of a table, where combinations are checked, and of a user
        await page.goto(`${stack.url}/console#/datasets/${dataset}/quests`);
        await page.getByRole("button", { name: "Change sort_keys" }).click();
        const keys = page.getByRole("textbox", { name: "sort_keys" });
        await keys.fill(
          Array.from({ length: 17 }, (_, n) => `c${n}`).join("\n"),
        );
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByRole("alert").filter({ hasText: "more than 16" }).waitFor();
        await keys.fill("n desc\nno_such");
        await page.getByRole("button", { name: "Save" }).click();
        await keys.waitFor({ state: "hidden" });
        const [{ sort_keys }] = await sql`select sort_keys from table_settings`;
        assert.deepEqual(sort_keys, ["n desc", "no_such"]);
        await page.goto(`${stack.url}/console#/settings`);
        await page.getByText("no file has the column no_such").waitFor();
        await page.getByLabel("User", { exact: true }).fill(alice.id);
        const limits = page.locator("section").filter({
          has: page.getByRole("heading", { name: "Limits of a user" }),
        });
        await limits.getByRole("button", { name: "Change datasets_max" }).click();
        await page.getByRole("textbox", { name: "datasets_max" }).fill("3");
        await page.getByRole("button", { name: "Save" }).click();
        await page.getByText("datasets_max = 3").waitFor();
        assert.equal(wrong.splice(0).length, 1);
        await page.close();
      },
    );

    await t.step(
      "rows of several schemas are read exactly, and what each schema changed is told",
      async () => {
        const { page, wrong } = await operator(`datasets/${dataset}/quests`);
        const history = page.getByRole("table", { name: "Schema history" });
        await history.getByText("+ at TIMESTAMP").waitFor();
        assert.equal(await history.getByRole("row").count(), 3);
        await page.getByRole("button", { name: "Show 100 rows" }).click();
        const rows = page.getByRole("region", { name: "Rows" }).locator("tbody tr");
        await rows.first().waitFor();
        assert.deepEqual(
          await rows.evaluateAll((all) =>
            all.map((row) =>
              [...row.querySelectorAll("td")].map(({ innerText }) => innerText).join("|")
            )
          ),
          [
            "0|null|null|null",
            "1|null|null|null",
            "2|null|null|null",
            "40|2024-11-25T01:02:03.004Z|9007199254740993|ä<b>",
            "41|null|-1|null",
          ],
        );
        await picture(page, "rows");
        assert.deepEqual(wrong, []);
        await page.close();
      },
    );

    await t.step(
      "behind the proxy of the command line rows and files come the same way",
      async () => {
        const proxy = await startProxy({
          assets: pageAssets,
          project: stack.url,
          credentials: () => Promise.resolve({ apikey: stack.secretKey }),
          userAgent: "sediment-console/test",
        });
        try {
          const { page, wrong } = await openPage(browser, { acceptDownloads: true });
          const hosts = new Set<string>();
          page.on("request", (request) => hosts.add(new URL(request.url()).host));
          await page.goto(proxy.url);
          await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
          const { origin } = new URL(proxy.url);
          await page.goto(`${origin}/console#/datasets/${dataset}/maps/2024-11-25`);
          await page.getByRole("button", { name: "Show 100 rows" }).click();
          await page.getByRole("region", { name: "Rows" }).getByText("12", { exact: true })
            .waitFor();
          const saved = page.waitForEvent("download");
          await page.getByRole("table", { name: "Files" }).getByRole("button", {
            name: /^Download/,
          })
            .first().click();
          const path = await (await saved).path();
          const bytes = await Deno.readFile(path);
          assert.ok([0, 10].some((n) => bytes.length === tinyParquet([n, n + 1, n + 2]).length));
          assert.deepEqual(
            [...hosts].filter((host) => host !== new URL(origin).host && host !== ""),
            [],
          );
          assert.deepEqual(wrong, []);
          await page.close();
        } finally {
          await proxy.close();
        }
      },
    );

    await t.step(
      "a file in quarantine is fetched, and its upload deleted when its id was typed",
      async () => {
        const { page, wrong } = await operator("trouble");
        const files = page.getByRole("table", { name: "Files in quarantine: corrupt_page" });
        const saved = page.waitForEvent("download");
        await files.getByRole("button", { name: /^Download/ }).click();
        const bytes = await Deno.readFile(await (await saved).path());
        assert.deepEqual(bytes, new Uint8Array(tinyParquet([0, 1, 2])));
        const [{ id }] = await sql`select id::text from battle_files where state = 'quarantined'`;
        await files.getByRole("button", { name: /^Delete/ }).click();
        const dialog = page.getByRole("dialog");
        await dialog.getByLabel("Name").fill(id.slice(0, -1));
        const really = dialog.getByRole("button", { name: "Delete", exact: true });
        assert.equal(await really.isDisabled(), true);
        await dialog.getByLabel("Name").fill(id);
        await picture(page, "delete-upload");
        await really.click();
        await page.getByText("No file was set aside.").waitFor();
        const left = await sql`select row_count from datasets where id = ${dataset}`;
        assert.equal(Number(left[0].row_count), 12 + 3 + 2 + 3);
        assert.deepEqual(wrong, []);
        await page.close();
      },
    );

    await t.step(
      "a dead letter that is dropped is gone from the list, and its partition can be asked for",
      async () => {
        const { page, wrong } = await operator("trouble");
        await page.getByRole("button", { name: "Drop" }).click();
        await page.getByText("No run was given up.").waitFor();
        const [letter] = await sql`select resolution from dead_letters`;
        assert.equal(letter.resolution, "dropped");
        await page.goto(`${stack.url}/console#/overview`);
        await page.getByText("1 partition is stuck").waitFor();
        await sql`update service_settings set max_workers = 4`;
        await page.getByRole("list", { name: "Stuck partitions" })
          .getByRole("button", { name: "Compact now" }).click();
        await page.getByText("gets another run").waitFor();
        await page.getByText("1 partition is stuck").waitFor({ state: "detached" });
        await until(
          "it has settled",
          30,
          async () =>
            (await sql`select count(*)::int as n from battle_files where "table" = 'battles' and removed_version is null`)[
              0
            ]
              .n === 1,
        );
        assert.deepEqual(wrong, []);
        await page.close();
      },
    );
  } finally {
    await browser.close();
    await sql.end();
  }
});
