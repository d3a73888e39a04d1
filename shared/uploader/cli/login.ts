/** `sediment login`, `logout`, `whoami`. */
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { asSedimentError, SedimentError } from "../../errors.ts";
import { clockWarning, endAuth } from "./auth_api.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import {
  askForSession,
  readSession,
  refreshed,
  type SavedSession,
  sessionPath,
  writeSession,
} from "./session_file.ts";
import { createTerminal, fromNow, type Terminal } from "./terminal.ts";

/** `sediment login` */
export const login: Command = {
  name: "login",
  says: "sign in, and keep the session for the other commands",
  synopsis: "--url URL --key KEY [--email EMAIL]",
  teaches:
    `Signs in with e-mail and password at the project's Supabase Auth and keeps the session in
${sessionPath()} (readable by you alone; SEDIMENT_SESSION names another place).
Other commands refresh it when it is due. Uploads that waited for a session go with the next
\`sediment retry\` or \`push\`. A service uses SEDIMENT_TOKEN instead.`,
  examples: [
    [
      "sediment login --url https://abc.supabase.co --key sb_publishable_… --email me@example.com",
      "asks for the password",
    ],
    ["echo $PW | sediment login --email me@example.com --password-stdin", "for scripts"],
  ],
  options: {
    email: { value: "EMAIL", says: "who signs in" },
    signup: { says: "make the user first" },
    "password-stdin": { says: "read the password from standard input (or SEDIMENT_PASSWORD)" },
  },
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const project = await projectFor(input);
    const email = input.text("email") ?? await ask("e-mail: ", false);
    const password = await passwordFor(input);
    const path = input.is("signup") ? "signup" : "token?grant_type=password";
    const session = await askForSession(project.url, project.key, path, { email, password });
    if (input.is("json")) terminal.out(JSON.stringify({ email: session.email, url: session.url }));
    else terminal.say(`signed in as ${session.email} at ${session.url}`);
    warnOfClock(terminal, session);
    return 0;
  },
};

function warnOfClock(terminal: Pick<Terminal, "say">, session: SavedSession): void {
  const warning = clockWarning(session);
  if (warning) terminal.say(warning);
}

/** `sediment logout` */
export const logout: Command = {
  name: "logout",
  says: "end the session, here and at the server",
  synopsis: "",
  teaches:
    `Ends the session at the server and forgets it here. Pending uploads stay, and wait for the next sign-in of
their user. Exit code 1 when the server could not be told: then the session is forgotten here all
the same, and ends there by itself.`,
  examples: [["sediment logout", "ends it"]],
  options: {},
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const session = await readSession();
    if (session === null) {
      terminal.say("nobody was signed in");
      return 0;
    }
    try {
      // The server ends a session for a token that lives only.
      const living = await refreshed(session);
      if (living) await endAuth(living.url, living.key, living.access_token);
    } catch (error) {
      const { message } = asSedimentError(error);
      terminal.say(`signed out here; the server could not be told: ${message}`);
      return 1;
    } finally {
      await writeSession(null);
    }
    terminal.say(`signed out ${session.email ?? ""}`.trimEnd());
    return 0;
  },
};

/** `sediment whoami` */
export const whoami: Command = {
  name: "whoami",
  says: "who is signed in, and where",
  synopsis: "",
  teaches: "Prints the session that other commands use. Exit code 1 when there is none.",
  examples: [["sediment whoami --json", "for scripts"]],
  options: {},
  arity: [0, 0],
  async run(input) {
    const terminal = createTerminal(input.is("json"));
    const session = await readSession();
    if (session === null) {
      terminal.say("nobody is signed in: sediment login");
      return 1;
    }
    warnOfClock(terminal, session);
    const { url, email, expires_at } = session;
    const until = new Date(expires_at * 1000).toISOString();
    terminal.out(
      input.is("json")
        ? JSON.stringify({ url, email, expires_at: until })
        : `${email} at ${url}; the token ${expires_at * 1000 > Date.now() ? "ends" : "ended"} ${
          fromNow(until)
        } and is refreshed by itself`,
    );
    return 0;
  },
};

async function projectFor(input: Input): Promise<{ url: string; key: string }> {
  const known = await readSession();
  const url = input.text("url") ?? process.env.SEDIMENT_URL ?? known?.url;
  const key = input.text("key") ?? process.env.SEDIMENT_KEY ?? known?.key;
  if (!url || !URL.canParse(url)) {
    throw new UsageError("login needs --url https://PROJECT.supabase.co");
  }
  if (!key) throw new UsageError("login needs --key, the project's publishable key");
  return { url: url.replace(/\/+$/, ""), key };
}

async function passwordFor(input: Input): Promise<string> {
  if (process.env.SEDIMENT_PASSWORD) return process.env.SEDIMENT_PASSWORD;
  if (input.is("password-stdin")) {
    const chunks: string[] = [];
    process.stdin.setEncoding("utf8");
    for await (const chunk of process.stdin) chunks.push(chunk);
    return chunks.join("").replace(/\r?\n$/, "");
  }
  if (!process.stdin.isTTY) {
    throw new SedimentError("invalid_config", "there is no terminal to ask for the password at", {
      expected: "--password-stdin or SEDIMENT_PASSWORD",
    });
  }
  return await ask("password: ", true);
}

async function ask(question: string, hidden: boolean): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new UsageError(`login needs --${question.split(":")[0].replace("-", "")}`);
  }
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? nowhere : process.stderr,
    terminal: true,
  });
  if (hidden) process.stderr.write(question);
  const answer = await lines.question(hidden ? "" : question);
  lines.close();
  if (hidden) process.stderr.write("\n");
  return answer;
}
