/** `sediment keys`: read-only keys of a dataset. */
import { keyList, newKey, revocation } from "./answers.ts";
import { callJson, getJson } from "./api.ts";
import { openProject, type Project } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { queryOf, selection } from "./selection.ts";
import { createTerminal, table, type Terminal } from "./terminal.ts";

/** What `keys` does with a dataset or a key. */
type Action = (project: Project, input: Input, terminal: Terminal, id?: string) => Promise<void>;

/** `sediment keys` */
export const keys: Command = {
  name: "keys",
  says: "read-only keys of a dataset: make, list and revoke them",
  synopsis: "[list | create | revoke KEY] [--dataset ID]",
  teaches:
    `Without a word, or with list: the keys of the dataset, and when each was last used. create makes one and
prints its secret, which is told this once: whoever has it reads the dataset, and nothing else, by --key sdk_… in place of
an account. Every key has an end, 30 days from now where --seconds says no other; revoke ends one at once, a handover and a
deletion of the dataset end all. For the dataset's owner.`,
  examples: [
    ["sediment keys create --dataset 0b3f… --label dashboard", "prints a secret"],
    ["sediment keys --dataset 0b3f…", "which there are"],
    ["sediment keys revoke 6a1c… --dataset 0b3f…", "it opens nothing any more"],
    ["sediment pull --url https://… --key sdk_9f2c… --dataset 0b3f…", "by whoever has it"],
  ],
  options: {
    dataset: selection.dataset,
    label: { value: "TEXT", says: "what you know the key by" },
    seconds: {
      value: "N",
      says: "how long it opens the dataset, a minute to 366 days (default: 30 days)",
    },
  },
  arity: [0, 2],
  async run(input) {
    const [word = "list", id] = input.positionals;
    const action = Object.hasOwn(actions, word) ? actions[word]! : undefined;
    if (action === undefined) {
      throw new UsageError(`keys ${word}: expected one of ${Object.keys(actions).join(", ")}`);
    }
    if ((word === "revoke") !== (id !== undefined)) {
      throw new UsageError(
        word === "revoke" ? "keys revoke needs a key's id behind it" : `keys ${word} takes no id`,
      );
    }
    await action(await openProject(input), input, createTerminal(input.is("json")), id);
    return 0;
  },
};

const actions: Record<string, Action> = {
  async list(project, input, terminal) {
    const answer = await getJson(project, pathOf(input), keyList);
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    const rows = answer.keys.map((key) => [
      key.key_id,
      key.label,
      key.end_reason ?? key.state,
      `${key.ended_at ?? key.expires_at}`,
      key.last_used_at ?? "never",
    ]);
    for (const line of table(["key", "label", "state", "until", "last used"], rows)) {
      terminal.out(line);
    }
  },
  async create(project, input, terminal) {
    const seconds = input.text("seconds");
    const answer = await callJson(project, "POST", pathOf(input), newKey, {
      body: {
        label: input.text("label"),
        ...(seconds === undefined ? {} : { expires_in: seconds }),
      },
    });
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.out(answer.secret);
    terminal.say(`key ${answer.key_id}, until ${answer.expires_at}`);
  },
  async revoke(project, input, terminal, id) {
    const path = `${pathOf(input)}/${encodeURIComponent(id!)}`;
    const answer = await callJson(project, "DELETE", path, revocation);
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.say(answer.revoked ? "it opens nothing any more" : "it was over already");
  },
};

function pathOf(input: Input): string {
  return `battle-data/datasets/${encodeURIComponent(queryOf(input).dataset_id)}/keys`;
}
