/**
 * The retry service: batches of pending items, one at a time among all processes, started by triggers.
 * A trigger never throws and a failure inside one is recorded, never a trigger. SPEC.md has the rules.
 */
import { asSedimentError } from "../../errors.ts";
import { askSession, type NoCredential } from "../session/ask_session.ts";
import { type BatchReport, emptyReport, type Trigger } from "./batch_report.ts";
import type { Clock } from "../../clock.ts";
import { Semaphore } from "./semaphore.ts";
import type { Say } from "../log.ts";
import { AuthHoldFile } from "./auth_hold.ts";
import type { PendingStore } from "../pending/pending_store.ts";
import { isOurs } from "./plan_batch.ts";
import { runBatch } from "./run_batch.ts";
import { type Park, type Pause, ServiceMachine } from "./service_machine.ts";
import type { Credential, Session } from "../session/session.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { ServiceState } from "../transitions.ts";
import { type Send, type Tried, tryItem } from "../send/try_item.ts";
import type { Reason } from "../reason.ts";

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
  readonly #gate: Semaphore;
  readonly #stop = new AbortController();
  /** Stored by the server, but not removed here yet. */
  readonly #storedIds = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  #batch: Promise<BatchReport> | null = null;
  #sessionChanged = false;
  readonly #note: AuthHoldFile;
  #last: BatchReport | null = null;

  constructor(parts: RetryServiceParts) {
    this.#parts = parts;
    this.#machine = new ServiceMachine(parts.clock, parts.settings.retry, parts.say);
    this.#note = new AuthHoldFile(parts.store, parts.origin);
    this.#gate = new Semaphore(parts.settings.upload.concurrency);
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
    const park = await this.#note.read();
    if (park) this.#machine.restore(park);
    await this.#parts.store.recover();
  }

  /**
   * Lets a trigger happen. Answers when its batch has ended; never throws.
   *
   * @param signal ends the batch early
   */
  async trigger(trigger: Trigger, signal?: AbortSignal): Promise<BatchReport> {
    try {
      if (trigger === "session" && this.#batch) this.#sessionChanged = true;
      const parked = this.#machine.state === "parked";
      const asked = parked ? await askSession(this.#parts.session) : null;
      const credential = asked?.token ? asked.fingerprint : null;
      // The tail of a batch that parked or paused may still be under way.
      if (this.#batch) return this.#skip(trigger, "busy");
      const order = this.#machine.handle(trigger, { credential });
      if (typeof order === "object") return this.#skip(trigger, order.skip);
      if (order !== "run") return this.#skip(trigger, "stopped");
    } catch (thrown) {
      return this.#failed(emptyReport(trigger), thrown);
    }
    const ends = signal ? AbortSignal.any([this.#stop.signal, signal]) : this.#stop.signal;
    this.#batch = this.#run(trigger, ends);
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
    const held = this.#machine.holds();
    // The machine compares its park with the credential of now, since nobody need have told it of a new one.
    if (held && this.#machine.state !== "parked") return { end: "held", reason: held };
    let credential: Credential | NoCredential;
    try {
      credential = await askSession(this.#parts.session);
    } catch (thrown) {
      const { code, message } = asSedimentError(thrown);
      return { end: "held", reason: { code, message } };
    }
    if (credential.token === null) {
      this.#hold(credential);
      return { end: "held", reason: credential.reason };
    }
    const { fingerprint } = credential;
    if (typeof this.#machine.handle("single", { credential: fingerprint }) === "object") {
      return { end: "held", reason: this.#machine.holds()! };
    }
    const item = await this.#parts.store.get(id);
    if (item && !isOurs(item, this.#parts.origin, credential)) {
      return { end: "held", reason: { code: "forbidden", message: "saved by another user" } };
    }
    return await this.#gate.run(async () => {
      const late = this.#machine.holds(); // the service may have parked while this item waited for its turn
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

  async #run(trigger: Trigger, signal: AbortSignal): Promise<BatchReport> {
    const report = emptyReport(trigger);
    const { store } = this.#parts;
    try {
      const lock = await store.lock("retry", { wait: false });
      if (!lock) {
        this.#machine.handle("batch_done");
        return this.#skip(trigger, "busy");
      }
      try {
        await this.#runLocked(report, signal);
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

  async #runLocked(report: BatchReport, signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    for (const id of this.#storedIds) {
      await store.apply(id, "stored");
      this.#storedIds.delete(id);
    }
    await runBatch({
      ...this.#parts,
      signal,
      hold: (none) => this.#hold(none),
      tryOne: (item, credential) => this.#gate.run(() => this.#try(item.id, credential, signal)),
      react: (tried, credential, failuresInARow) => {
        const limit = this.#machine.wary ? 1 : failuresToPause;
        return this.#react(tried, credential, failuresInARow >= limit);
      },
    }, report);
  }

  async #try(id: string, credential: Credential, signal = this.#stop.signal): Promise<Tried> {
    if (this.#storedIds.has(id)) return { end: "taken" };
    const trying = tryItem(id, credential, signal, this.#parts);
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
        await this.#note.write(null);
        return false;
      case "parked":
        if (!tried.wide) return false;
        if (this.#machine.state !== "parked") {
          const { reason } = tried;
          this.#machine.handle("auth_refused", { refused: credential.fingerprint, reason });
          await this.#note.write(this.#machine.park);
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

  /** Parks or pauses, because there is no credential. */
  #hold({ event, reason }: NoCredential): void {
    if (event === "pause_asked") this.#machine.handle(event, { why: "offline", reason });
    else if (this.#machine.state !== "parked") this.#machine.handle(event, { reason });
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
