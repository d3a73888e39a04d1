/**
 * The console in a real Chromium, over a stack. Pictures of all views go to SEDIMENT_SCREENSHOTS, where that is set.
 */
import { strict as assert } from "node:assert";
import postgres from "postgres";
import { startStack } from "../../supabase/local/stack.ts";
import {
  axeFindings,
  noBrowser,
  openBrowser,
  openPage,
  picture,
  tooWide,
} from "../support/browser.ts";
import { signUp, until } from "../support/client.ts";
import { giveUpOne, uploadNumbers } from "./console_world.ts";

const why = "the page at 4 of column hp could not be written: no space left on device";

Deno.test({
  name: "the console",
  ignore: noBrowser("tests/e2e/console_test.ts"),
}, async (t) => {
  await using stack = await startStack({
    tickSeconds: 0.3,
    cronSeconds: { sediment_metrics: 0.5, sediment_sweep: 1 },
  });
  const sql = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const browser = await openBrowser();
  try {
    const alice = await signUp(stack, "alice@example.com");
    const bob = await signUp(stack, "bob@example.com");
    const dataset = crypto.randomUUID(), other = crypto.randomUUID();
    // lines of an hour, as the minutes would have made them
    await sql`insert into metric_samples
      select date_trunc('minute', now()) - n * interval '1 minute', 4000 - n * 60 + (n * 37) % 50, 9e8 - n * 1.4e7,
        900 - n * 14, 3600 - n * 55, 5000 - n * 80, (n * 13) % 9, 60, 0, 500000 - n * 800, 70 - n % 7, 2e9 - n * 1e7
      from generate_series(1, 60) n
      on conflict do nothing`; // a minute that passed since the start has a line of its own
    await sql`update service_settings set max_workers = 0`;
    for (let n = 0; n < 4; n++) await uploadNumbers(stack, alice, dataset, "battles", n * 10);
    for (let n = 0; n < 2; n++) await uploadNumbers(stack, bob, other, "quests", n * 10);
    await giveUpOne(sql, "battles", why);

    await t.step(
      "an operator finds a stuck partition, reads why, redrives it and sees it settle",
      async () => {
        const { page, wrong } = await openPage(browser);
        await page.goto(`${stack.url}/console`);
        await page.getByRole("button", { name: "Operator" }).click();
        await picture(page, "sign-in");
        await page.getByLabel("Secret key").fill(stack.secretKey);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.getByText("1 partition is stuck", { exact: false }).waitFor();
        const stuck = page.getByRole("list", { name: "Stuck partitions" });
        assert.match(await stuck.innerText(), new RegExp(why));
        await picture(page, "overview-stuck");
        await stuck.getByRole("link").click();
        await page.getByRole("heading", { level: 1, name: "battles / 2024-11-25" }).waitFor();
        await page.getByText(why).first().waitFor();
        await picture(page, "period-stuck");
        await page.getByRole("button", { name: "Redrive" }).click();
        await page.getByText("gets another run").waitFor();
        await page.getByText("settled", { exact: true }).waitFor({ timeout: 60_000 });
        const files = page.getByRole("table", { name: "Files" });
        await until(
          "one file is left of four",
          60,
          async () => (await files.getByRole("row").count()) === 2,
        );
        await picture(page, "period-settled");
        await page.getByRole("link", { name: "Overview" }).click();
        await page.getByRole("heading", { name: "Lately" }).waitFor();
        assert.equal(await page.getByText("is stuck").count(), 0);
        const [run] =
          await sql`select id from processing_metrics where status = 'success' and commits > 0
        order by completed_at desc limit 1`;
        await page.goto(`${stack.url}/console#/runs/${run.id}`);
        await page.getByRole("heading", { name: "1 output" }).waitFor();
        await page.getByRole("cell", { name: "4 files" }).waitFor();
        await picture(page, "run");
        assert.deepEqual(wrong, []);
        await page.close();
      },
    );

    await t.step("an owner sees their own datasets and nobody else's", async () => {
      const { page, wrong } = await openPage(browser);
      await page.goto(`${stack.url}/console`);
      await page.getByLabel("E-mail").fill("bob@example.com");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("not those of a user").waitFor();
      assert.equal(wrong.splice(0).length, 1, "the browser tells of the 401");
      await page.getByLabel("Password").fill("a long password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      // lines of their own datasets: six rows in two files
      await page.getByRole("img", { name: "Rows: 6" }).waitFor();
      await page.getByRole("img", { name: "Files: 2" }).waitFor();
      assert.equal(await page.getByRole("img", { name: /^Uploads/ }).count(), 0);
      await picture(page, "owner-overview");
      await page.getByRole("link", { name: "Datasets" }).click();
      const rows = page.getByRole("table", { name: "Datasets" });
      await rows.waitFor();
      assert.deepEqual(
        await rows.getByRole("link").evaluateAll((links) =>
          links.map((link) => (link as HTMLAnchorElement).title)
        ),
        [other],
      );
      assert.equal(await page.getByRole("link", { name: "Settings" }).count(), 0);
      await page.goto(`${stack.url}/console#/datasets/${dataset}`);
      await page.getByText("Not yours to see.").first().waitFor();
      await picture(page, "owner-forbidden");
      assert.ok(wrong.every((line) => line.includes("403")), wrong.join("\n"));
      await page.close();
    });

    await t.step("all of it goes by keyboard", async () => {
      const { page, wrong } = await openPage(browser);
      await page.goto(`${stack.url}/console`);
      const press = async (...keys: string[]) => {
        for (const key of keys) await page.keyboard.press(key);
      };
      /** Tabs on until something of that name has the focus. */
      const reach = async (name: RegExp) => {
        for (let n = 0; n < 40; n++) {
          await press("Tab");
          const text = await page.evaluate(() => {
            const element = document.activeElement as HTMLInputElement;
            return element.getAttribute("aria-label") ?? element.labels?.[0]?.innerText ??
              element.innerText ?? "";
          });
          if (name.test(text)) return;
        }
        assert.fail(`${name} can't be reached by Tab`);
      };
      await page.getByRole("button", { name: "Operator" }).waitFor();
      await reach(/^Operator/);
      await press("Enter");
      await reach(/^Secret key/);
      await page.keyboard.type(stack.secretKey);
      await press("Enter");
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      await press("g", "d");
      await page.getByRole("heading", { level: 1, name: "Datasets" }).waitFor();
      await page.getByRole("table", { name: "Datasets" }).waitFor();
      await press("/");
      await page.keyboard.type(dataset.slice(0, 6));
      await until(
        "one dataset is left",
        10,
        async () =>
          (await page.getByRole("table", { name: "Datasets" }).getByRole("row").count()) === 2,
      );
      await reach(new RegExp(`^${dataset.slice(0, 8)}`));
      await press("Enter");
      await page.getByRole("table", { name: "Tables" }).waitFor();
      await reach(/^battles/);
      await press("Enter");
      await page.getByRole("table", { name: "Periods" }).waitFor();
      await reach(/^Delete/);
      await press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.waitFor();
      await picture(page, "delete");
      assert.equal(await dialog.getByRole("button", { name: "Delete" }).isDisabled(), true);
      await press("Escape");
      await dialog.waitFor({ state: "hidden" });
      await reach(/^Show 100 rows/);
      await press("Enter");
      await page.getByRole("region", { name: "Rows" }).getByText("31", { exact: true }).waitFor();
      await press("g", "s");
      await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
      await page.getByLabel("Filter settings").waitFor();
      await press("/");
      await page.keyboard.type("max_workers");
      await reach(/^Change max_workers/);
      await press("Enter");
      const field = page.getByRole("textbox", { name: "max_workers" });
      await field.waitFor();
      assert.equal(await field.evaluate((element) => element === document.activeElement), true);
      await press("Control+A");
      await page.keyboard.type("65");
      await press("Enter");
      await page.getByRole("alert").getByText("out of bounds").waitFor();
      assert.equal(await field.evaluate((element) => element === document.activeElement), true);
      await press("Escape");
      await field.waitFor({ state: "hidden" });
      assert.equal(wrong.splice(0).length, 1, "the browser tells of the 400");
      assert.deepEqual(wrong, []);
      await page.close();
    });

    await t.step(
      "each view is clean for axe, in both themes, and right at 360 pixels",
      async () => {
        // something of everything to look at; a worker that holds what it has
        await sql`update service_settings set max_workers = 0`;
        for (let n = 0; n < 4; n++) await uploadNumbers(stack, alice, dataset, "busy", n * 10);
        await until("a worker has a run", 30, async () => {
          const [{ claim }] = await sql`select claim_compaction('a worker of the test') as claim`;
          return claim.claimed;
        });
        await sql`update battle_files set state = 'quarantined', quarantine_code = 'corrupt_page',
        quarantine_reason = 'page 3 of column hp: its CRC is another', quarantined_at = now()
        where dataset_id = ${other} and seq_min = 1`;
        await sql`update service_settings set min_inputs = 5, alert_webhooks = '[]'`;
        const [run] = await sql`select id from processing_metrics where status = 'success' limit 1`;
        const views = {
          overview: "overview",
          datasets: "datasets",
          dataset: `datasets/${dataset}`,
          table: `datasets/${dataset}/battles`,
          period: `datasets/${dataset}/battles/2024-11-25`,
          runs: "runs",
          run: `runs/${run.id}`,
          trouble: "trouble",
          settings: "settings",
        };
        for (const theme of ["light", "dark"] as const) {
          for (const width of [1280, 360]) {
            const { page, wrong } = await openPage(browser, {
              viewport: { width, height: 900 },
              colorScheme: theme,
            });
            await page.goto(`${stack.url}/console`);
            await page.getByRole("button", { name: "Operator" }).click();
            assert.deepEqual(await axeFindings(page), [], `sign-in, ${theme}, ${width}`);
            await page.getByLabel("Secret key").fill(stack.secretKey);
            await page.getByRole("button", { name: "Sign in" }).click();
            for (const [name, path] of Object.entries(views)) {
              await page.goto(`${stack.url}/console#/${path}`);
              await page.locator("main h1").waitFor();
              await page.locator("main .loading").first().waitFor({ state: "detached" });
              await until(
                "all has come",
                30,
                async () => (await page.locator(".loading").count()) === 0,
              );
              if (name === "table") {
                await page.getByRole("button", { name: "Show 100 rows" }).click();
                await page.getByRole("region", { name: "Rows" }).waitFor();
              } else if (name === "runs") {
                const work = page.getByRole("table", { name: "At work" });
                await work.getByRole("link", { name: /busy \/ 2024-11-25/ }).waitFor();
              } else if (name === "settings") {
                await page.getByRole("button", { name: "Change alert_webhooks" }).click();
                await page.getByRole("textbox", { name: "alert_webhooks" }).fill("no JSON");
                await page.getByRole("button", { name: "Save" }).click();
                await page.getByRole("alert").waitFor();
              }
              await picture(page, `${name}-${theme}-${width}`);
              // what lies below the bar that stays is not too small to be met
              await page.evaluate(() => scrollTo(0, 0));
              assert.deepEqual(await axeFindings(page), [], `${name}, ${theme}, ${width}`);
              const over = await tooWide(page);
              assert.deepEqual(over, [], `${name} is wider than ${width}`);
            }
            assert.deepEqual(wrong, []);
            await page.close();
          }
        }
      },
    );
  } finally {
    await browser.close();
    await sql.end();
  }
});
