/** One of several programs by its name, as `deno task bench` and `deno task simulate` offer them. */

/** A program: its file, and what it does in a few words. */
export interface NamedProgram {
  file: URL;
  what: string;
  /** What it is given before the arguments of the caller. */
  args?: string[];
}

/**
 * Runs the program that the first argument names, with the other arguments, and ends with its exit code. No
 * name or `--help` lists them all; an unknown name does too, with code 2.
 *
 * @param usage the line above the list
 */
export async function runNamed(
  usage: string,
  programs: Record<string, NamedProgram>,
  [name, ...args]: string[],
): Promise<never> {
  if (name === undefined || !Object.hasOwn(programs, name)) {
    const width = Math.max(...Object.keys(programs).map((known) => known.length));
    console.error(`${usage}\n`);
    for (const [known, { what }] of Object.entries(programs)) {
      console.error(`  ${known.padEnd(width)}  ${what}`);
    }
    Deno.exit(name === undefined || name === "--help" ? 0 : 2);
  }
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", programs[name]!.file.pathname, ...programs[name]!.args ?? [], ...args],
  }).spawn().status;
  Deno.exit(code);
}
