/**
 * The retry service: batches of pending items, one at a time among all processes, started by triggers.
 * A trigger never throws and a failure inside one is recorded, never a trigger. SPEC.md has the rules.
 */
import { asSedimentError } from "../errors.ts";
import { type BatchReport, emptyReport, type Trigger } from "./batch_report.ts";
import type { Clock } from "./clock.ts";
import { Gate } from "./gate.ts";
import type { Say } from "./log.ts";
import type { PendingStore } from "./pending_store.ts";
import { type BatchPlan, planBatch } from "./plan_batch.ts";
import { sendBatch } from "./send_batch.ts";
import { type Park, type Pause, ServiceMachine } from "./service_machine.ts";
import type { Credential, Session } from "./session.ts";
import type { UploaderSettings } from "./settings.ts";
import type { ServiceState } from "./transitions.ts";
import { type Send, type Tried, tryItem } from "./try_item.ts";
import type { Reason } from "./verdict.ts";

/** The parts that a service is made of. */
export interface RetryServiceParts {
  store: PendingStore;
  session: Session;
  settings: UploaderSettings;
  clock: Clock;
  say: Say;
  send: Send;
  /** Origin of the server whose items are sent. */
  origin: string;
}

/** Failures in a row after which a batch ends: the server is in trouble, not the items. */
const failuresToPause = 3;

/** See the file's head. */
export class RetryService {
  readonly #parts: RetryServiceParts;
  readonly #machine: ServiceMachine;
  readonly #gate: Gate;
  readonly #stop = new AbortController();
  /** Stored by the server, but not removed here yet. */
  readonly #storedIds = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  #batch: Promise<BatchReport> | null = null;
  #sessionChanged = false;
  /** Whether the park is written down beside the items. */
  #noted = false;
  #last: BatchReport | null = null;

  constructor(parts: RetryServiceParts) {
    this.#parts = parts;
    this.#machine = new ServiceMachine(parts.clock, parts.settings.retry, parts.say);
    this.#gate = new Gate(parts.settings.upload.concurrency);
  }

  /** Where the service is. */
  view(): {
    state: ServiceState;
    park: Park | null;
    pause: Pause | null;
    last: BatchReport | null;
  } {
    const { state, park, pause } = this.#machine;
    return { state, park, pause, last: this.#last };
  }

  /** Reads what an earlier process left: its park, and what its crash left in the folder. */
  async open(): Promise<void> {
    const note = await this.#parts.store.readNote(this.#noteName()) as Partial<Park> | null;
    if (
      typeof note?.streak === "number" && typeof note.resumeAt === "number" &&
      typeof note.refused === "string"
    ) {
      this.#machine.restore(note as Park);
      this.#noted = true;
    }
    await this.#parts.store.recover();
  }

  /** Lets a trigger happen. Answers when its batch has ended; never throws. */
  async trigger(trigger: Trigger): Promise<BatchReport> {
    try {
      if (trigger === "session" && this.#batch) this.#sessionChanged = true;
      const parked = this.#machine.state === "parked";
      const credential = parked ? await this.#credential() : null;
      // The tail of a batch that parked or paused may still be under way.
      if (this.#batch) return this.#skip(trigger, "busy");
      const order = this.#machine.handle(trigger, { credential: credential?.fingerprint ?? null });
      if (typeof order === "object") return this.#skip(trigger, order.skip);
      if (order !== "run") return this.#skip(trigger, "stopped");
    } catch (thrown) {
      return this.#failed(emptyReport(trigger), thrown);
    }
    this.#batch = this.#run(trigger);
    const report = await this.#batch;
    this.#batch = null;
    if (this.#sessionChanged) {
      this.#sessionChanged = false;
      if (this.#machine.state === "parked") await this.trigger("session");
    }
    return report;
  }

  /** Tells that nobody is signed in any more. */
  signedOut(): void {
    this.#machine.handle("signed_out");
  }

  /**
   * Tries one item now, unless the service knows that it would be in vain.
   *
   * @returns how it ended; `held` when it wasn't tried, with the reason
   */
  async tryNow(id: string): Promise<Tried | { end: "held"; reason: Reason }> {
    const held = this.#heldBecause();
    if (held) return { end: "held", reason: held };
    const credential = await this.#credential().catch((thrown): Reason => {
      const { code, message } = asSedimentError(thrown);
      return { code, message };
    });
    if (credential !== null && "code" in credential) return { end: "held", reason: credential };
    if (credential === null) {
      const reason = { code: "not_signed_in", message: "there is no session to upload with" };
      if (this.#machine.state !== "parked") this.#machine.handle("auth_refused", { reason });
      return { end: "held", reason };
    }
    const item = await this.#parts.store.get(id);
    if (item?.user_id && credential.userId && item.user_id !== credential.userId) {
      return { end: "held", reason: { code: "forbidden", message: "saved by another user" } };
    }
    return await this.#gate.run(async () => {
      const late = this.#heldBecause(); // while it stood in line
      if (late) return { end: "held", reason: late };
      const tried = await this.#try(id, credential);
      await this.#react(tried, credential);
      return tried;
    });
  }

  /** Stops what is under way; items go back to waiting. */
  async stop(): Promise<void> {
    this.#machine.handle("stop");
    this.#stop.abort(new DOMException("the uploader was stopped", "AbortError"));
    await Promise.allSettled([this.#batch, ...this.#underWay]);
  }

  async #run(trigger: Trigger): Promise<BatchReport> {
    const report = emptyReport(trigger);
    const { store } = this.#parts;
    try {
      const lock = await store.lock("retry", { wait: false });
      if (!lock) {
        this.#machine.handle("batch_done");
        return this.#skip(trigger, "busy");
      }
      try {
        await this.#runLocked(trigger, report);
      } finally {
        await lock.release();
      }
      this.#machine.handle("batch_done");
      this.#parts.say("batch_ended", { ...report });
    } catch (thrown) {
      return this.#failed(report, thrown);
    }
    return this.#last = report;
  }

  async #runLocked(trigger: Trigger, report: BatchReport): Promise<void> {
    const { store, settings, clock, say, origin } = this.#parts;
    let credential: Credential | null;
    try {
      credential = await this.#credential();
    } catch (thrown) {
      const { code, message } = asSedimentError(thrown);
      if (code !== "server_unreachable") throw thrown;
      this.#machine.handle("pause_asked", { why: "offline", reason: { code, message } });
      return;
    }
    for (const id of this.#storedIds) {
      await store.apply(id, "stored");
      this.#storedIds.delete(id);
    }
    const plan = planBatch(await store.list(), {
      now: clock.now(),
      origin,
      credential,
      force: trigger === "manual",
      retry: settings.retry,
    });
    this.#count(plan, report);
    for (const item of plan.expired) {
      const last = item.last_error ? `; last: ${item.last_error.code}` : "";
      const error = {
        code: "upload_expired",
        message: `${item.attempt_count} attempts in ${settings.retry.ttl_seconds} s${last}`,
      };
      const after = await store.apply(item.id, "ttl", { error });
      if (after?.state === "expired") say("expired", { id: item.id, ...error });
    }
    if (plan.due.length === 0) return;
    if (credential === null) {
      const reason = { code: "not_signed_in", message: "there is no session to upload with" };
      this.#machine.handle("auth_refused", { reason });
      return;
    }
    await this.#sendAll(plan, credential, trigger === "manual", report);
  }

  async #sendAll(
    plan: BatchPlan,
    credential: Credential,
    byHand: boolean,
    report: BatchReport,
  ): Promise<void> {
    const { settings, clock } = this.#parts;
    let failuresInARow = 0;
    const untried = await sendBatch(plan.due, {
      concurrency: settings.upload.concurrency,
      pauseMs: byHand ? 0 : settings.retry.item_interval_seconds * 1000,
      clock,
      signal: this.#stop.signal,
      tryOne: async (item) => {
        const tried = await this.#gate.run(() => this.#try(item.id, credential));
        if (tried.end !== "taken") report.attempted++;
        if (tried.end === "stored") report.stored++;
        else if (tried.end === "dead") report.dead++;
        else if (tried.end !== "taken") report.failed++;
        failuresInARow = tried.end === "waiting" ? failuresInARow + 1 : 0;
        const limit = this.#machine.wary ? 1 : failuresToPause;
        const over = await this.#react(tried, credential, failuresInARow >= limit);
        return over ? "over" : tried.end === "stored" ? "well" : "on";
      },
    });
    report.deferred += untried;
  }

  async #try(id: string, credential: Credential): Promise<Tried> {
    if (this.#storedIds.has(id)) return { end: "taken" };
    const trying = tryItem(id, credential, this.#stop.signal, this.#parts);
    this.#underWay.add(trying);
    try {
      const tried = await trying;
      if (tried.end === "stored" && !tried.removed) this.#storedIds.add(id);
      return tried;
    } finally {
      this.#underWay.delete(trying);
    }
  }

  /** What an attempt means for the service; true when the batch should end. */
  async #react(tried: Tried, credential: Credential, many = false): Promise<boolean> {
    switch (tried.end) {
      case "stored":
        this.#machine.wentWell();
        await this.#writeNote(null);
        return false;
      case "parked":
        if (!tried.wide) return false;
        if (this.#machine.state !== "parked") {
          const { reason } = tried;
          this.#machine.handle("auth_refused", { refused: credential.fingerprint, reason });
          await this.#writeNote(this.#machine.park);
        }
        return true;
      case "unreachable":
        this.#machine.handle("pause_asked", { why: "offline", reason: tried.reason });
        return true;
      case "waiting":
        if (tried.retryAfterMs === undefined && !many) return false;
        this.#machine.handle("pause_asked", {
          why: tried.retryAfterMs === undefined ? "failing" : "throttled",
          retryAfterMs: tried.retryAfterMs,
          reason: tried.reason,
        });
        return true;
      case "stopped":
        return true;
      default:
        return false;
    }
  }

  #heldBecause(): Reason | null {
    const { state, park, pause } = this.#machine;
    const at = (time: number) => new Date(time).toISOString();
    if (state === "stopped") return { code: "aborted", message: "the uploader was stopped" };
    if (state === "parked") {
      const code = park?.refused === null ? "not_signed_in" : "unauthenticated";
      return {
        code,
        message: `parked until the session changes, not before ${at(park!.resumeAt)}`,
      };
    }
    if (state === "paused" && pause && pause.until > this.#parts.clock.now()) {
      const code = pause.reason?.code ?? "store_failed";
      return { code, message: `paused (${pause.why}) until ${at(pause.until)}` };
    }
    return null;
  }

  async #credential(): Promise<Credential | null> {
    return await this.#parts.session.credential();
  }

  #noteName(): string {
    return `park-${this.#parts.origin.replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
  }

  async #writeNote(park: Park | null): Promise<void> {
    if (park === null && !this.#noted) return;
    this.#noted = park !== null;
    // It only spares requests after a restart: a full disk must not fail the batch.
    await this.#parts.store.writeNote(this.#noteName(), park).catch(() => {});
  }

  #count(plan: BatchPlan, report: BatchReport): void {
    report.pending = plan.due.length + plan.deferred.length + plan.duplicates.length +
      plan.foreign.length;
    report.deferred = plan.deferred.length;
    report.expired = plan.expired.length;
    report.duplicates = plan.duplicates.length;
    for (const { id } of plan.duplicates) this.#parts.say("skipped_duplicate", { id });
    if (plan.foreign.length > 0) this.#parts.say("skipped_user", { count: plan.foreign.length });
  }

  #skip(trigger: Trigger, skipped: NonNullable<BatchReport["skipped"]>): BatchReport {
    if (skipped === "busy") this.#parts.say("busy", { trigger });
    return { ...emptyReport(trigger), skipped };
  }

  #failed(report: BatchReport, thrown: unknown): BatchReport {
    const { code, message } = asSedimentError(thrown);
    this.#machine.handle("batch_failed");
    this.#parts.say("trigger_failed", { trigger: report.trigger, code, message });
    return this.#last = { ...report, error: { code, message } };
  }
}
