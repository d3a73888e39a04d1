/** `sediment console`: the console of a project, in a browser of this machine. */
import process from "node:process";
import { SedimentError } from "../../errors.ts";
import { version } from "../version.ts";
import { onInterrupt } from "./on_interrupt.ts";
import { type Command, UsageError } from "./options.ts";
import { readSession, refreshed, type SavedSession } from "./session_file.ts";
import { createTerminal } from "./terminal.ts";

/** `sediment console` */
export const console_: Command = {
  name: "console",
  says: "look after a project in a browser: datasets, runs, what is stuck",
  synopsis: "[--port N]",
  teaches:
    `Prints an address of this machine (127.0.0.1) to open in a browser, and serves the console there until
Ctrl-C. The address opens once. With SEDIMENT_SERVICE_KEY, a secret key that may act for users, it
shows the whole deployment; else what the user of \`sediment login\` may see. The key stays here: the
page never has it.`,
  examples: [
    [
      "SEDIMENT_SERVICE_KEY=sb_secret_… sediment console --url https://abc.supabase.co",
      "an operator",
    ],
    ["sediment console", "an owner who is signed in"],
  ],
  options: { port: { value: "N", says: "the port to serve at (default: any that is free)" } },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const saved = await readSession();
    const url = (input.text("url") ?? process.env.SEDIMENT_URL ?? saved?.url)?.replace(/\/+$/, "");
    if (!url || !URL.canParse(url)) {
      throw new UsageError("console needs --url https://PROJECT.supabase.co, or a login before");
    }
    const port = Number(input.text("port") ?? 0);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new UsageError(`--port ${input.text("port")} is not a port`);
    }
    const key = process.env.SEDIMENT_SERVICE_KEY;
    if (!key && saved?.url !== url) {
      throw new SedimentError("not_signed_in", `there is no session at ${url}`, {
        expected: "a `sediment login` before, or SEDIMENT_SERVICE_KEY",
      });
    }
    const { pageAssets, startProxy } = await import("../../console/local_console.ts");
    const proxy = await startProxy({
      assets: pageAssets,
      project: url,
      credentials: key ? () => Promise.resolve({ apikey: key }) : () => sessionHeaders(saved!),
      userAgent: `sediment-console/${version}`,
      port,
    });
    if (input.is("json")) terminal.out(JSON.stringify({ url: proxy.url, project: url }));
    else {
      terminal.say(
        `the console of ${new URL(url).host}, ${key ? "all of it" : `as ${saved!.email}`}:`,
      );
      terminal.out(proxy.url);
      terminal.say("Ctrl-C ends it");
    }
    await new Promise<void>((resolve) => onInterrupt(() => resolve()));
    await proxy.close();
    return 0;
  },
};

/** The headers of the session that was signed in, refreshed where it is due. */
async function sessionHeaders(session: SavedSession): Promise<Record<string, string>> {
  const living = await refreshed(await readSession() ?? session);
  if (living === null) {
    throw new SedimentError("not_signed_in", "the session has ended", {
      expected: "a `sediment login`",
    });
  }
  return { apikey: living.key, authorization: `Bearer ${living.access_token}` };
}
