/** Options of commands: declared once, for parsing, for `--help` and for the shell's completion. */
import { parseArgs } from "node:util";

/** One option. */
export interface Option {
  /** What it takes; none: it is a switch. */
  value?: string;
  /** One line. */
  says: string;
  short?: string;
}

/** A command of the CLI. */
export interface Command {
  name: string;
  /** One line, for the list. */
  says: string;
  /** Arguments after the name, as the synopsis shows them. */
  synopsis: string;
  /** What it does, in a few sentences. */
  teaches: string;
  examples: [line: string, says: string][];
  options: Record<string, Option>;
  /** Words that complete the first argument. */
  words?: string[];
  /** Fewest and most positional arguments. */
  arity: [number, number];
  /** Runs it. @returns the exit code */
  run(input: Input): Promise<number>;
}

/** What a command was called with. */
export interface Input {
  positionals: string[];
  /** Value of an option, or undefined. */
  text(name: string): string | undefined;
  /** Whether a switch is set. */
  is(name: string): boolean;
}

/** A call that can't be understood; the text says what would be. */
export class UsageError extends Error {}

/** Options that every command takes. */
export const commonOptions: Record<string, Option> = {
  json: { says: "one JSON object a line on standard output" },
  url: { value: "URL", says: "the project (or SEDIMENT_URL, or the one of `login`)" },
  key: {
    value: "KEY",
    says:
      "its publishable key, or a read-only key of a dataset, sdk_… (or SEDIMENT_KEY, or the one of `login`)",
  },
  for: { value: "USER", says: "act for this user, as a service: by SEDIMENT_SERVICE_KEY" },
  pending: { value: "DIR", says: "the folder of pending uploads (default: one an account)" },
  config: { value: "FILE", says: "TOML file with [app.asset_sync.*] (or SEDIMENT_CONFIG)" },
  verbose: { says: "structured log lines on standard error", short: "v" },
  help: { says: "this text", short: "h" },
};

/** Parses the arguments of a command. */
export function parse(command: Command, args: string[]): Input {
  const all = { ...command.options, ...commonOptions };
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(all).map(([name, option]) => [name, {
          type: option.value ? "string" as const : "boolean" as const,
          ...(option.short ? { short: option.short } : {}),
        }]),
      ),
    });
  } catch (error) {
    throw new UsageError((error as Error).message.split(". To specify")[0]);
  }
  const { positionals } = parsed;
  const values = parsed.values as Record<string, string | boolean | undefined>;
  const [least, most] = command.arity;
  if (!values.help && (positionals.length < least || positionals.length > most)) {
    throw new UsageError(`usage: sediment ${command.name} ${command.synopsis}`);
  }
  return {
    positionals,
    text: (name) => values[name] as string | undefined,
    is: (name) => values[name] === true,
  };
}

/** The help of one command. */
export function helpOf(command: Command): string {
  const lines = (options: Record<string, Option>) =>
    Object.entries(options).map(([name, { value, says, short }]) => {
      const flag = `${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}`;
      return `  ${flag.padEnd(20)} ${says}`;
    }).join("\n");
  const own = Object.keys(command.options).length > 0 ? `\n\n${lines(command.options)}` : "";
  const examples = command.examples.map(([line, says]) => `  ${line}\n      ${says}`).join("\n");
  return `sediment ${command.name} ${command.synopsis}

${command.teaches}${own}

for every command
${lines(commonOptions)}

examples
${examples}
`;
}
