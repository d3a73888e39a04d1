/**
 * Watches every call that reaches the catalog for I5: only the newest token of a partition has an effect, tokens
 * only grow, and a commit that is made again gets the first answer. What it sees no row count would tell.
 */
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { Claim } from "../../../shared/catalog/run_results.ts";

type Args = Record<string, unknown>;

/** Calls that carry a token and change something. */
const fenced = new Set<keyof Catalog>([
  "commitCompaction",
  "stageOutput",
  "renewLease",
  "recordStep",
  "quarantineFile",
  "setApart",
  "failCompaction",
  "passControl",
]);

/** See the module's head. */
export class Witness {
  /** Partition → the newest token that a claim gave. */
  readonly #newest = new Map<string, number>();
  /** Run → its partition. */
  readonly #partitionOf = new Map<string, string>();
  /** Run and ordinal → what the commit answered first, and by which token. */
  readonly #commits = new Map<string, { told: string; token: number }>();

  constructor(private readonly violations: string[]) {}

  /** Makes a call and looks at what came of it. */
  async see(method: keyof Catalog, args: Args, effect: () => Promise<unknown>): Promise<unknown> {
    const commit = method === "commitCompaction" ? `${args.run}/${args.n}` : null;
    const first = commit === null ? undefined : this.#commits.get(commit);
    let answer;
    try {
      answer = await effect();
    } catch (error) {
      if (first) {
        this.violations.push(`I5: commit ${commit} was made, and made again: ${error}`);
      }
      throw error;
    }
    if (method === "claimCompaction") this.#claimed(answer as Claim);
    if (commit !== null) {
      const { replayed, ...rest } = answer as { replayed: boolean };
      const told = JSON.stringify(rest);
      if (first && (!replayed || first.told !== told)) {
        this.violations.push(`I5: commit ${commit} answered ${first.told}, then ${told}`);
      }
      if (!first) this.#commits.set(commit, { told, token: Number(args.token) });
      if (replayed) return answer;
    }
    if (method === "stageOutput" && (answer as { committed: boolean }).committed) return answer;
    if (fenced.has(method)) this.#fenced(method, args);
    return answer;
  }

  #claimed(claim: Claim | { claimed: false }): void {
    if (!claim.claimed) return;
    const partition = `${claim.dataset_id}/${claim.table}/${claim.period_tag}`;
    if (claim.token <= (this.#newest.get(partition) ?? 0)) {
      this.violations.push(`I5: the token of ${partition} went back to ${claim.token}`);
    }
    this.#newest.set(partition, claim.token);
    this.#partitionOf.set(claim.run_id, partition);
  }

  #fenced(method: string, { run, token }: Args): void {
    const newest = this.#newest.get(this.#partitionOf.get(String(run)) ?? "") ?? 0;
    if (Number(token) < newest) {
      this.violations.push(
        `I5: ${method} of run ${run} went through with token ${token}, after ${newest}`,
      );
    }
  }
}
