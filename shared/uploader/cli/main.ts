/** `deno task sediment …`: the command line of the uploader. */
import process from "node:process";
import { asSedimentError, SedimentError } from "../../errors.ts";
import { completionFor } from "./completion.ts";
import { console_ } from "./console.ts";
import { dead } from "./dead.ts";
import { deleteData } from "./delete.ts";
import { keys } from "./keys.ts";
import { ls } from "./ls.ts";
import { login, logout, whoami } from "./login.ts";
import { type Command, helpOf, parse, UsageError } from "./options.ts";
import { refuseOldNode } from "./node_version.ts";
import { members } from "./members.ts";
import { pending, retry } from "./pending.ts";
import { plainText } from "../plain_text.ts";
import { pull, rm } from "./pull.ts";
import { push } from "./push.ts";
import { rename } from "./rename.ts";
import { sql } from "./sql.ts";
import { head, schema, tables } from "./tables.ts";
import { status } from "./status.ts";
import { version } from "../version.ts";

const commands: Command[] = [
  login,
  logout,
  whoami,
  push,
  pending,
  retry,
  dead,
  status,
  ls,
  tables,
  schema,
  head,
  pull,
  rm,
  sql,
  deleteData,
  members,
  keys,
  rename,
  console_,
];
commands.push(completionFor([...commands]));

const overview = `sediment: uploads that are never lost and never doubled

${commands.map(({ name, says }) => `  ${name.padEnd(11)} ${says}`).join("\n")}

first steps
  sediment login --url https://PROJECT.supabase.co --key sb_publishable_… --email me@example.com
  sediment push exports/ --dataset $(uuidgen)
  sediment pending          what could not be sent, and why
  sediment retry            sends it

sediment COMMAND --help teaches each of them. Exit codes: 0 done · 1 something failed · 2 not
understood · 3 something is still pending · 130 ended by Ctrl-C.
`;

/** Runs the command line. @returns the exit code */
export async function main(args: string[]): Promise<number> {
  const tooOld = refuseOldNode(process.versions);
  if (tooOld !== null) {
    console.error(tooOld);
    return 2;
  }
  const [name, ...rest] = args;
  if (name === "--version" || name === "-V") {
    console.log(`sediment ${version}`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const about = commands.find((command) => command.name === rest[0]);
    console.log(about ? helpOf(about) : overview);
    return name === undefined ? 2 : 0;
  }
  const command = commands.find((one) => one.name === name);
  if (!command) {
    const near = commands.map((one) => one.name).filter((other) => other.startsWith(name[0] ?? ""));
    const hint = near.length > 0 ? `; did you mean ${near.join(" or ")}?` : "";
    console.error(`there is no command ${JSON.stringify(name)}${hint}\n\n${overview}`);
    return 2;
  }
  try {
    const input = parse(command, rest);
    if (input.is("help")) {
      console.log(helpOf(command));
      return 0;
    }
    return await command.run(input);
  } catch (thrown) {
    if (thrown instanceof UsageError) {
      const more = `sediment ${command.name} --help says more`;
      if (rest.includes("--json")) {
        console.error(JSON.stringify({ error: { code: "usage", message: thrown.message } }));
      } else console.error(`${thrown.message}\n${more}`);
      return 2;
    }
    const error = asSedimentError(thrown);
    if (rest.includes("--json")) {
      const { code, message, field, expected } = error;
      console.error(JSON.stringify({ error: { code, message, field, expected } }));
    } else {
      console.error(plainText(`${error.code}: ${error.message}`));
      if (error.expected) console.error(plainText(`  expected: ${error.expected}`));
      if (!(thrown instanceof SedimentError) && thrown instanceof Error) {
        console.error(thrown.stack);
      }
    }
    return error.code === "invalid_config" || error.code === "invalid_request" ? 2 : 1;
  }
}

// `sediment … | head` closes the pipe early: what was asked for is still done, for nobody to read.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error) => {
    if ((error as { code?: string }).code !== "EPIPE") throw error;
  });
}
process.exit(await main(process.argv.slice(2)));
