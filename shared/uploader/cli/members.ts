/** `sediment members`: who shares a dataset, and in which role. */
import { memberList, membership, offer, removal, revocation } from "./answers.ts";
import { callJson, getJson } from "./api.ts";
import { openProject, type Project } from "./open.ts";
import { type Command, type Input, UsageError } from "./options.ts";
import { queryOf, selection } from "./selection.ts";
import { createTerminal, table, type Terminal } from "./terminal.ts";

/** What `members` does with a dataset or an invitation. */
type Action = (project: Project, input: Input, terminal: Terminal, name?: string) => Promise<void>;

/** `sediment members` */
export const members: Command = {
  name: "members",
  says: "share a dataset, leave it, or hand it over",
  synopsis: "[list | invite | accept TOKEN | remove USER | revoke INVITATION] [--dataset ID]",
  teaches: `Without a word, or with list: who shares the dataset, and the invitations that are open.
invite offers a role and prints its token, which is told this once: whoever hands it to accept has the role, so
send it as you would a password, or bind it with --user. A reader reads; a writer uploads and compacts too; the
owner also deletes, invites and hands over: invite --role owner makes whoever accepts the owner, and you nothing,
or what --keep says. remove ends a membership, your own too; what was uploaded stays. revoke takes an invitation back.`,
  examples: [
    ["sediment members invite --dataset 0b3f… --role writer", "prints a token"],
    ["sediment members accept sdi_4be1…", "by the one who was invited"],
    ["sediment members remove 6a1c… --dataset 0b3f…", "a member, or yourself"],
    ["sediment members invite --dataset 0b3f… --role owner --keep reader", "a handover"],
  ],
  options: {
    dataset: selection.dataset,
    role: { value: "ROLE", says: "of an invitation: owner, writer or reader" },
    user: { value: "ID", says: "the only user who may accept" },
    keep: { value: "ROLE", says: "of a handover: what you become, writer or reader" },
    seconds: { value: "N", says: "how long it can be accepted (default: a week)" },
  },
  arity: [0, 2],
  async run(input) {
    const [word = "list", name] = input.positionals;
    const action = Object.hasOwn(actions, word) ? actions[word]! : undefined;
    if (action === undefined) {
      throw new UsageError(`members ${word}: expected one of ${Object.keys(actions).join(", ")}`);
    }
    const wantsName = !["list", "invite"].includes(word);
    if (wantsName !== (name !== undefined)) {
      throw new UsageError(
        wantsName ? `members ${word} needs a name behind it` : `members ${word} takes no name`,
      );
    }
    await action(await openProject(input), input, createTerminal(input.is("json")), name);
    return 0;
  },
};

const actions: Record<string, Action> = {
  async list(project, input, terminal) {
    const answer = await getJson(project, `${pathOf(input)}/members`, memberList);
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    const rows = [
      ["owner", answer.owner_id, ""],
      ...answer.members.map(({ user_id, role, since }) => [role, user_id, `since ${since}`]),
      ...answer.invitations.map(({ role, invitation_id, user_id, expires_at }) => [
        `${role}?`,
        invitation_id,
        `invitation${!user_id ? "" : ` of ${user_id}`} until ${expires_at}`,
      ]),
    ];
    for (const line of table(["role", "id", ""], rows)) terminal.out(line);
  },
  async invite(project, input, terminal) {
    const seconds = input.text("seconds");
    const answer = await callJson(project, "POST", `${pathOf(input)}/invitations`, offer, {
      body: {
        role: input.text("role"),
        user_id: input.text("user"),
        keep_role: input.text("keep"),
        ...(seconds === undefined ? {} : { expires_in: seconds }),
      },
    });
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.out(answer.token);
    terminal.say(`until ${answer.expires_at}: sediment members accept TOKEN`);
  },
  async accept(project, input, terminal, token) {
    const answer = await callJson(project, "POST", "battle-data/invitations/accept", membership, {
      body: { token },
    });
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.say(`you are ${answer.role} of dataset ${answer.dataset_id}`);
  },
  async remove(project, input, terminal, user) {
    const path = `${pathOf(input)}/members/${encodeURIComponent(user!)}`;
    const answer = await callJson(project, "DELETE", path, removal);
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.say(answer.removed ? `${user} is no member any more` : `${user} was no member`);
  },
  async revoke(project, input, terminal, invitation) {
    const path = `${pathOf(input)}/invitations/${encodeURIComponent(invitation!)}`;
    const answer = await callJson(project, "DELETE", path, revocation);
    if (input.is("json")) return terminal.out(JSON.stringify(answer));
    terminal.say(answer.revoked ? "it can't be accepted any more" : "it was over already");
  },
};

function pathOf(input: Input): string {
  return `battle-data/datasets/${encodeURIComponent(queryOf(input).dataset_id)}`;
}
