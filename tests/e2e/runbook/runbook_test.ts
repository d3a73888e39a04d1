/** The runbook of docs/operations.md on a stack that is broken so: seen to open, looked at, mended as it says, seen to close. */
import { strict as assert } from "node:assert";
import { until } from "../../support/client.ts";
import { cases, elsewhere, type RunbookCase } from "./cases.ts";
import { openWorld, type World } from "./world.ts";

const at = (path: string) => new URL(`../../../${path}`, import.meta.url);

/** The lines of the runbook: names, and what to look at. */
async function runbook(): Promise<{ names: string[]; look: string }[]> {
  const page = await Deno.readTextFile(at("docs/operations.md"));
  const part = page.slice(page.indexOf("### Runbook"), page.indexOf("## Metrics"));
  return part.split("\n").filter((line) => line.startsWith("| ")).slice(1).map((line) => {
    const [name, look] = line.slice(2).split(" | ");
    const names = [...name.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name);
    return { names: names.length > 0 ? names : [name.trim()], look };
  });
}

/** The statements among what a line says to look at. */
const statements = (look: string) =>
  [...look.matchAll(/`(select [^`]+;)`/g)].map(([, statement]) => statement);

Deno.test("each line of the runbook is tried", async () => {
  const names = (await runbook()).flatMap(({ names }) => names);
  assert.ok(names.length > 15, names.join());
  assert.deepEqual(
    [...cases.map(({ name }) => name), ...Object.keys(elsewhere)].sort(),
    names.sort(),
  );
  for (const [name, file] of Object.entries(elsewhere)) {
    assert.ok((await Deno.readTextFile(at(file))).includes(name), `${file} tries ${name}`);
  }
});

Deno.test("what the runbook names opens where it is broken so, and closes when its line was done", async (t) => {
  const lines = await runbook();
  await using world = await openWorld();
  for (const one of cases) {
    await t.step(one.name, async () => {
      await one.breaks(world);
      await until(`${one.name} is told`, 30, () => isOpen(world, one));
      const line = lines.find(({ names }) => names.includes(one.name))!;
      for (const statement of statements(line.look)) {
        const rows = await world.sql.unsafe(statement);
        assert.ok(rows.length > 0, `${statement} shows nothing`);
      }
      await one.mends(world);
      if (one.told !== "alert") {
        await until(`${one.name} is over`, 30, async () => !await isOpen(world, one));
      }
      if (one.told === "incident") {
        const classes = await world
          .sql`select class from public.alerts where class like ${`${one.name}\\_%`} order by id`;
        assert.deepEqual(classes.map((alert) => alert.class), [
          `${one.name}_opened`,
          `${one.name}_closed`,
        ]);
      }
    });
  }
  assert.deepEqual(
    await until("all is well", 60, async () => {
      const reasons = await world.reasons();
      return reasons.length === 0 && reasons;
    }),
    [],
  );
});

async function isOpen(world: World, { name, told, as = name }: RunbookCase): Promise<boolean> {
  if (told === "reason") return (await world.reasons()).includes(name);
  if (told === "alert") {
    const [{ count }] = await world
      .sql`select count(*)::int from public.alerts where class = ${as}`;
    return count > 0;
  }
  const [row] = await world.sql`select state from public.incidents where name = ${as}`;
  return row?.state === "open";
}
