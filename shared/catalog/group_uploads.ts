/**
 * Group commit for uploads: calls of `stageUpload` and `commitUpload` that come while one of them is on its way
 * wait for it and then go together, as one `group_upload_calls`. A lone upload pays nothing for it; of many at
 * once, most share the HTTP request, the transaction and the locks of their dataset.
 */
import {
  type CallOptions,
  type Catalog,
  type CatalogArgs,
  parseAnswer,
  snake,
  sqlArguments,
} from "./catalog_methods.ts";
import { commitWeight } from "./commit_weight.ts";
import { sqlError } from "./sql_error.ts";
import { abortedCall } from "./unless_aborted.ts";
import type { UploadedFile } from "./upload_results.ts";

/** How calls are grouped. */
export interface GroupOptions {
  /** Calls in a group. @default 32 */
  maxCalls?: number;
  /** Data files in a group; one with long names of columns counts for several. @default 64 */
  maxFiles?: number;
  /** Data files of a call; with more it goes alone, since others should not wait for it. @default 16 */
  maxCallFiles?: number;
  /**
   * Milliseconds that a call waits for those on their way before it goes all the same: one that hangs holds up
   * nobody for longer. @default 50
   */
  maxWaitMs?: number;
  /**
   * Whether stages and commits share a group. They should where a call's way costs more than its statements; where it
   * does not, a group of one kind pays for one kind's statements only, and the kinds take turns. @default true
   */
  mixed?: boolean;
}

type Method = "stageUpload" | "commitUpload";

type Outcome = Awaited<ReturnType<Catalog["groupUploadCalls"]>>["commits"][number];

interface Call {
  method: Method;
  args: CatalogArgs<Method>;
  options: CallOptions;
  files: number;
  resolve(answer: unknown): void;
  reject(reason: unknown): void;
}

/** The same catalog, whose uploads are grouped. Each call answers and throws as it does alone. */
export function groupUploads(catalog: Catalog, options: GroupOptions = {}): Catalog {
  const { maxCalls = 32, maxFiles = 64, maxCallFiles = 16, maxWaitMs = 50, mixed = true } = options;
  let waiting: Call[] = [];
  let flying = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function enter(method: Method, args: CatalogArgs<Method>, options: CallOptions = {}) {
    const files = "files" in args ? commitWeight(args.files as UploadedFile[]) : 0;
    return new Promise<unknown>((resolve, reject) => {
      const call: Call = { method, args, options, files, resolve, reject };
      if (files > Math.min(maxFiles, maxCallFiles)) return void deliverAlone(call);
      waiting.push(call);
      if (flying === 0) flush();
      else timer ??= setTimeout(flushAll, maxWaitMs);
    });
  }

  /** Sends a group: from the call that has waited longest on, only calls like that one unless they are mixed. */
  function flush(): void {
    const group: Call[] = [];
    let files = 0;
    let full = false;
    waiting = waiting.filter((call) => {
      const fitting = mixed || group.length === 0 || call.method === group[0].method;
      full ||= fitting && group.length > 0 &&
        (group.length === maxCalls || files + call.files > maxFiles);
      if (!fitting || full) return true;
      files += call.files;
      group.push(call);
      return false;
    });
    clearTimeout(timer);
    timer = waiting.length > 0 ? setTimeout(flushAll, maxWaitMs) : undefined;
    if (group.length > 0) void fly(group);
  }

  function flushAll(): void {
    while (waiting.length > 0) flush();
  }

  async function fly(calls: Call[]): Promise<void> {
    flying++;
    const deliverAll = await (calls.length === 1 ? sendAlone(calls[0]) : sendTogether(calls));
    flying--;
    // The next group leaves first: the database should not be idle while callers go on with their answers.
    if (flying === 0) flush();
    deliverAll();
  }

  async function sendAlone({ method, args, options, resolve, reject }: Call): Promise<() => void> {
    const send = catalog[method] as (args: object, options: CallOptions) => Promise<unknown>;
    try {
      const answer = await send(args, options);
      return () => resolve(answer);
    } catch (thrown) {
      return () => reject(thrown);
    }
  }

  async function sendTogether(all: Call[]): Promise<() => void> {
    const calls = all.filter((call) => !rejectAborted(call));
    if (calls.length === 0) return () => {};
    const stages = calls.filter((call) => call.method === "stageUpload");
    const commits = calls.filter((call) => call.method === "commitUpload");
    let settled: Awaited<ReturnType<Catalog["groupUploadCalls"]>>;
    try {
      settled = await catalog.groupUploadCalls({
        stages: stages.map((call) => sqlArguments(call.args)),
        commits: commits.map((call) => sqlArguments(call.args)),
      });
    } catch {
      // No answer, or none that tells whose fault it is. Each call is harmless to repeat.
      settled = { stages: [], commits: [] };
    }
    return () => {
      for (const [n, call] of stages.entries()) deliver(call, settled.stages[n]);
      for (const [n, call] of commits.entries()) deliver(call, settled.commits[n]);
    };
  }

  function deliver(call: Call, outcome: Outcome = { busy: true }): void {
    // Not waited for: whom a call waits for alone holds up no group.
    if (!settle(call, outcome)) void deliverAlone(call);
  }

  async function deliverAlone(call: Call): Promise<void> {
    (await sendAlone(call))();
  }

  return {
    ...catalog,
    stageUpload: enter.bind(undefined, "stageUpload") as Catalog["stageUpload"],
    commitUpload: enter.bind(undefined, "commitUpload") as Catalog["commitUpload"],
  };
}

/** Tells a call what became of it; false when it has to be made alone. */
function settle(call: Call, outcome: Outcome): boolean {
  if ("busy" in outcome) return false;
  if ("error" in outcome) {
    call.reject(sqlError(outcome.error, snake(call.method)));
    return true;
  }
  try {
    call.resolve(parseAnswer(call.method, outcome.answer));
  } catch (thrown) {
    call.reject(thrown);
  }
  return true;
}

function rejectAborted({ method, options: { signal }, reject }: Call): boolean {
  if (!signal?.aborted) return false;
  reject(abortedCall(snake(method), signal));
  return true;
}
