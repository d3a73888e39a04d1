/** `deno task doctor`: looks at a deployment, item by item, with the line that mends what is wrong. */
import { parseArgs } from "node:util";
import { checkup } from "./checkup.ts";
import { readExpected } from "./expected.ts";
import { findTarget } from "./find_target.ts";
import type { Item } from "./item.ts";

const usage = `deno task doctor [--url URL --key KEY] [--functions URL] [--state DIR] [--json]

  --url URL        the project, such as https://REF.supabase.co     (default SUPABASE_URL)
  --key KEY        a secret key of it                               (default SUPABASE_SECRET_KEY)
  --functions URL  where the functions are, when not there: https://x.deno.dev
  --state DIR      without a URL: the embedded stack of this state folder  (default .state/)
  --json           one line of JSON: [{name, state, found, mend}]

Signs in as ${"sediment-doctor@example.com"}, which it makes, and uploads a kilobyte to a dataset of that user.
Exit code: 0 nothing is wrong; 1 something is; 2 it was called wrong. What can't be seen is "unknown" and named.`;

if (import.meta.main) Deno.exit(await run());

async function run(): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      args: Deno.args,
      options: {
        url: { type: "string" },
        key: { type: "string" },
        functions: { type: "string" },
        state: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const target = await findTarget(values, Deno.env);
  if (target === null) {
    console.error(
      `no deployment is named (--url and --key), and no embedded stack runs (deno task start)\n\n${usage}`,
    );
    return 2;
  }
  const items = await checkup(target, await readExpected());
  console.log(values.json ? JSON.stringify(items) : asText(target.url, items));
  return items.some(({ state }) => state === "wrong") ? 1 : 0;
}

function asText(url: string, items: Item[]): string {
  const lines = items.flatMap(({ name, state, found, mend }) => [
    `${state.padEnd(8)} ${name.padEnd(11)} ${found}`,
    ...(mend === undefined || state === "ok" ? [] : [`${" ".repeat(20)} → ${mend}`]),
  ]);
  const count = (state: Item["state"]) => items.filter((item) => item.state === state).length;
  const sum = `${count("ok")} ok, ${count("wrong")} wrong, ${count("unknown")} unknown`;
  return [url, ...lines, sum].join("\n");
}
