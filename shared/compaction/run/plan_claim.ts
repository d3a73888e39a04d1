/** The plan of a claimed partition, and what the catalog is told of it. */
import { hostLimits } from "../../compression/host_limits.ts";
import type { SchemaJson } from "../../parquet/format/schema_json.ts";
import { callCatalog } from "./call_catalog.ts";
import { askedAbove } from "../../catalog/object_limit.ts";
import { filesText } from "../plan/decision_text.ts";
import type { MergeCost } from "../plan/merge_cost.ts";
import { noWork } from "../plan/merge_work.ts";
import { mostOverTarget } from "../plan/pack_outputs.ts";
import { defaultLimits, type Plan, planCompaction, type PlannedOutput } from "../plan/plan.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";
import { uniteSchemas } from "../plan/unite_schemas.ts";

/** Files that a plan looks at: beyond, the oldest of them are waited for. */
const maxFiles = 20_000;

/** What a decision over a list that leaves out what nobody would merge says beside its counts. */
const partText = " Of files that are full grown or in quarantine the first alone are listed.";

/** A plan, and whether the partition has files that it has not looked at. */
export interface ClaimPlan {
  plan: Plan<InputFile>;
  unseen: boolean;
  /** What it was planned by. */
  settings: Claim["settings"];
  /** By fingerprint, as far as the catalog has told them. */
  schemas: Readonly<Record<string, SchemaJson>>;
}

/**
 * Plans over the files of the claim, which are the oldest of the partition; newer pages are asked for only while
 * the older ones give nothing to do.
 *
 * @param budget what one output may be expected to cost
 * @throws SedimentError as `list_fragments` does
 */
export async function planClaim(
  ports: CompactionPorts,
  claim: Claim,
  budget: MergeCost,
  signal: AbortSignal,
): Promise<ClaimPlan> {
  // an attempt that ended without a word may have been killed for its CPU: the next one takes on half as much
  const share = 2 ** (Math.max(1, claim.attempt) - 1);
  const cpuMs = budget.cpuMs / share;
  const files = [...claim.files];
  const schemas = { ...claim.schemas } as Record<string, SchemaJson>;
  let cursor = claim.more ? claim.cursor : null;
  let part = claim.part ?? false;
  // ages are of the catalog's clock, which need not be this machine's
  const now = new Date(claim.claimed_at);
  const settings = await fittingSettings(ports, claim, signal);
  while (true) {
    const plan = planCompaction<InputFile>({
      files,
      settings,
      schemas,
      unite: ports.unite ?? uniteSchemas,
      forced: claim.forced,
      budget: { ...budget, cpuMs },
      // and half as many column chunks, should its output have been refused
      limits: { maxChunks: Math.floor(defaultLimits.maxChunks / share) },
      host: hostLimits(),
      streams: ports.store.startUpload !== undefined,
      now,
    });
    if (part) plan.decision += partText;
    // what is not on trial is not in the claim
    if (claim.trial) return { plan: trialOf(plan, files), unseen: true, settings, schemas };
    if (plan.outputs.length > 0 || cursor === null || files.length >= maxFiles) {
      return { plan, unseen: cursor !== null, settings, schemas };
    }
    const from = { run: claim.run_id, token: claim.token, cursor };
    const page = await callCatalog(signal, (options) => ports.catalog.listFragments(from, options));
    files.push(...page.files);
    Object.assign(schemas, page.schemas);
    cursor = page.more ? page.cursor : null;
    part ||= page.part ?? false;
  }
}

/** The settings of a claim, with a target of which no output comes to more than the store takes. */
async function fittingSettings(
  { objectLimit }: CompactionPorts,
  { settings, files }: Claim,
  signal: AbortSignal,
): Promise<Claim["settings"]> {
  const bytes = files.reduce((sum, file) => sum + file.byte_length, 0);
  if (objectLimit === undefined || bytes <= askedAbove) return settings;
  const most = Math.floor(
    await callCatalog(signal, ({ signal }) => objectLimit(signal)) / mostOverTarget,
  );
  return most < settings.target_file_bytes ? { ...settings, target_file_bytes: most } : settings;
}

/**
 * A plan that takes on every sound file of the claim, each that the planner finds no company for by itself: one of them may
 * be what workers die of, and that shows only when it is merged.
 */
function trialOf(plan: Plan<InputFile>, files: InputFile[]): Plan<InputFile> {
  const taken = new Set(plan.outputs.flatMap(({ inputs }) => inputs));
  // the others are listed for where they lie
  const tried = files.filter((file) => file.state === "active");
  const alone = tried.filter((file) => !taken.has(file));
  return {
    decision: `After a worker died, on trial: ${filesText(tried.length)}. ${plan.decision}`,
    leftAlone: plan.leftAlone,
    nextDueAt: plan.nextDueAt,
    groups: plan.groups,
    outputs: [
      ...plan.outputs,
      ...alone.map((file): PlannedOutput<InputFile> => ({
        inputs: [file],
        bytes: file.byte_length,
        expectedRows: file.row_count,
        paths: noWork(),
        cost: { cpuMs: 0, memoryMb: 0 },
        reason: "alone, after a worker died",
      })),
    ],
  };
}

/** How far a plan is done: what the status shows. Of this plan, not of those of runs or turns before. */
export function progressOf(plan: Plan<InputFile>, done: number) {
  const planned = sum(plan.outputs);
  const behind = sum(plan.outputs.slice(0, done));
  return {
    outputs_planned: plan.outputs.length,
    outputs_done: done,
    files_planned: planned.files,
    files_done: behind.files,
    bytes_planned: planned.bytes,
    bytes_done: behind.bytes,
  };
}

/** The debt that is left when `done` outputs of a plan are behind. */
export function debtOf(plan: Plan<InputFile>, done: number) {
  const left = plan.outputs.slice(done);
  const files = left.flatMap(({ inputs }) => inputs);
  const oldest = files.map((file) => file.uploaded_at).sort()[0] ?? null;
  const bytes = files.reduce((total, file) => total + file.byte_length, 0);
  return { files: files.length, bytes, oldest };
}

function sum(outputs: PlannedOutput<InputFile>[]) {
  return {
    files: outputs.reduce((files, { inputs }) => files + inputs.length, 0),
    bytes: outputs.reduce((bytes, output) => bytes + output.bytes, 0),
  };
}
