/** `sediment completion`: scripts that let a shell complete commands and options. */
import { type Command, commonOptions, UsageError } from "./options.ts";

const shells = ["bash", "zsh", "fish"];

/** The command, over the others. */
export function completionFor(commands: Command[]): Command {
  const self: Command = {
    name: "completion",
    says: "a completion script for bash, zsh or fish",
    synopsis: "SHELL",
    teaches: "Prints a script that lets the shell complete `sediment`'s commands and options.",
    examples: [
      ['eval "$(sediment completion bash)"', "in ~/.bashrc; for zsh in ~/.zshrc"],
      ["sediment completion fish | source", "in config.fish"],
    ],
    options: {},
    words: shells,
    arity: [1, 1],
    run(input) {
      const [shell] = input.positionals;
      if (!shells.includes(shell)) throw new UsageError(`completion knows ${shells.join(", ")}`);
      const all = [...commands, self];
      console.log(shell === "fish" ? fish(all) : shell === "zsh" ? zsh(all) : bash(all));
      return Promise.resolve(0);
    },
  };
  return self;
}

const flagsOf = (command: Command) =>
  Object.keys({ ...command.options, ...commonOptions }).map((name) => `--${name}`);

function bash(commands: Command[]): string {
  const cases = commands.map((command) => {
    const words = (command.words ?? []).join(" "), flags = flagsOf(command).join(" ");
    return `    ${command.name}) words="${words}"; [[ "$current" != -* ]] || words="${flags}" ;;`;
  }).join("\n");
  return `_sediment() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words file
  case "\${COMP_WORDS[1]}" in
${cases}
    *) words="${commands.map(({ name }) => name).join(" ")} --help --version" ;;
  esac
  [ "$COMP_CWORD" = 1 ] && words="${commands.map(({ name }) => name).join(" ")} --help --version"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # Files, a name with spaces being one; options are offered once a dash is typed.
  if [ "$COMP_CWORD" -gt 1 ] && [[ "$current" != -* ]]; then
    while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _sediment sediment`;
}

function zsh(commands: Command[]): string {
  return `autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`;
}

function fish(commands: Command[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c sediment -n __fish_use_subcommand -a ${command.name} -d ${quote(command.says)}`,
    ...(command.words ?? []).map((word) =>
      `complete -c sediment -n '__fish_seen_subcommand_from ${command.name}' -a ${word}`
    ),
    ...Object.entries({ ...command.options, ...commonOptions }).map(([name, option]) =>
      `complete -c sediment -n '__fish_seen_subcommand_from ${command.name}' -l ${name} ` +
      `${option.value ? "-r " : ""}-d ${quote(option.says)}`
    ),
  ]);
  return lines.join("\n");
}

const quote = (text: string) => `'${text.replaceAll("'", "\\'")}'`;
