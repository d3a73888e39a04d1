/** The steps of one run: each tried as its rule says while the lease holds, its time counted and logged. */
import { callCatalog } from "./call_catalog.ts";
import type { Lease } from "./lease.ts";
import type { Claim, CompactionPorts, RunCatalog } from "./ports.ts";
import { runStep, type StepName } from "./steps.ts";

/** The catalog's methods that carry the claim's token. */
type TokenCall =
  | "recordStep"
  | "stageOutput"
  | "commitCompaction"
  | "renewLease"
  | "quarantineFile"
  | "setApart"
  | "passControl";

export class RunSteps {
  /** What each step took so far, ms. */
  readonly ms: Partial<Record<StepName, number>> = {};

  constructor(
    private readonly ports: Pick<CompactionPorts, "catalog" | "clock" | "log">,
    private readonly claim: Claim,
    private readonly lease: Lease,
  ) {}

  /**
   * Does a step.
   *
   * @param call the catalog's method, where the step is nothing else; the log tells it
   * @throws StepError
   */
  async step<T>(name: StepName, action: () => Promise<T>, call?: TokenCall): Promise<T> {
    const { clock, log } = this.ports;
    const begun = clock.now();
    let ok = false;
    try {
      const result = await runStep(name, clock, this.lease.signal, action);
      ok = true;
      return result;
    } finally {
      const ms = clock.now() - begun;
      this.ms[name] = (this.ms[name] ?? 0) + ms;
      const { run_id, dataset_id, table, period_tag, attempt } = this.claim;
      const run = { run_id, dataset_id, table, period_tag, attempt };
      log?.({ event: "run_step", ...run, step: name, call, ok, ms });
    }
  }

  /**
   * A step that is one call of the catalog under the claim's token.
   *
   * @throws StepError
   */
  call<M extends TokenCall>(
    step: StepName,
    method: M,
    args: Omit<Parameters<RunCatalog[M]>[0], "run" | "token">,
  ): Promise<Awaited<ReturnType<RunCatalog[M]>>> {
    const { catalog } = this.ports;
    const full = { run: this.claim.run_id, token: this.claim.token, ...args };
    const made = (options: { signal: AbortSignal }) =>
      (catalog[method] as (args: unknown, options: unknown) => ReturnType<RunCatalog[M]>)(
        full,
        options,
      ) as Promise<Awaited<ReturnType<RunCatalog[M]>>>;
    return this.step(step, () => callCatalog(this.lease.signal, made), method);
  }
}
