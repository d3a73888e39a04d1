/** The retry service's state: the table of transitions.ts with the times that its cells speak of. */
import { backoffMs, isDue, longestWaitMs } from "../backoff.ts";
import type { Clock } from "../../clock.ts";
import type { Say } from "../log.ts";
import { authWaitMs } from "./plan_batch.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import { type ServiceEvent, type ServiceState, serviceTransitions } from "../transitions.ts";
import type { Reason } from "../reason.ts";

/** Why the batch is parked, and until when it stays so whatever the session does. */
export interface Park {
  /** Fingerprint of the refused credential; null when there was no session. */
  refused: string | null;
  /** Refusals in a row, without a stored item between them. */
  streak: number;
  resumeAt: number;
}

/** Why the service pauses, and until when. */
export interface Pause {
  why: "offline" | "throttled" | "failing";
  until: number;
  /** Pauses in a row. */
  streak: number;
  /** What the last request said. */
  reason?: Reason;
}

/** What an event brings along. */
export interface ServiceFacts {
  refused?: string | null;
  why?: Pause["why"];
  retryAfterMs?: number;
  reason?: Reason;
  /** Of the session as it is now, for triggers that find the service parked. */
  credential?: string | null;
}

/** What is to be done after an event. */
export type ServiceOrder = "run" | "abort" | "none" | {
  skip: "busy" | "parked" | "paused" | "stopped";
};

/** See the file's head. Holds no timers: triggers come from outside. */
export class ServiceMachine {
  readonly #clock: Clock;
  readonly #retry: UploaderSettings["retry"];
  readonly #say: Say;
  #state: ServiceState = "idle";
  #park: Park | null = null;
  #pause: Pause | null = null;
  #authStreak = 0;
  #pauseStreak = 0;

  constructor(clock: Clock, retry: UploaderSettings["retry"], say: Say) {
    this.#clock = clock;
    this.#retry = retry;
    this.#say = say;
  }

  get state(): ServiceState {
    return this.#state;
  }

  get park(): Park | null {
    return this.#park;
  }

  get pause(): Pause | null {
    return this.#pause;
  }

  /** Whether the next batch follows a trouble: it then sends one item to see, before it sends more. */
  get wary(): boolean {
    return this.#pauseStreak > 0;
  }

  /** A park that an earlier process wrote down. */
  restore(park: Park): void {
    this.#park = park;
    this.#authStreak = park.streak;
    this.#state = "parked";
  }

  /** Something was stored: troubles are over. */
  wentWell(): void {
    this.#authStreak = this.#pauseStreak = 0;
  }

  /** Lets an event happen. */
  handle(event: ServiceEvent, facts: ServiceFacts = {}): ServiceOrder {
    const cell = serviceTransitions[this.#state][event];
    const from = this.#state;
    const ifDue = cell.does === "run_if_due" || cell.does === "go_if_due";
    if (ifDue && !this.#isOver(event, facts)) {
      return { skip: from === "parked" ? "parked" : "paused" };
    }
    if (ifDue || cell.does === "run") {
      if (from === "parked" || from === "paused") this.#say("resumed", { from, by: event });
      this.#park = this.#pause = null;
      this.#state = cell.does === "go_if_due" ? "idle" : "running";
      return cell.does === "go_if_due" ? "none" : "run";
    }
    this.#state = cell.to;
    if (cell.does === "park") this.#setPark(facts);
    if (cell.does === "pause") this.#setPause(facts);
    if (cell.does === "busy") return { skip: "busy" };
    if (cell.does === "abort") return "abort";
    return this.#state === "stopped" ? { skip: "stopped" } : "none";
  }

  /** Why nothing should be sent now, whatever the session is; null when something may. */
  holds(): Reason | null {
    const at = (time: number) => new Date(time).toISOString();
    if (this.#state === "stopped") return { code: "aborted", message: "the uploader was stopped" };
    if (this.#state === "parked" && this.#park) {
      const code = this.#park.refused === null ? "not_signed_in" : "unauthenticated";
      const until = at(this.#park.resumeAt);
      return { code, message: `parked until the session changes, not before ${until}` };
    }
    if (this.#state === "paused" && this.#pause && !isDue(this.#pause.until, this.#clock.now())) {
      const code = this.#pause.reason?.code ?? "store_failed";
      return { code, message: `paused (${this.#pause.why}) until ${at(this.#pause.until)}` };
    }
    return null;
  }

  #isOver(event: ServiceEvent, facts: ServiceFacts): boolean {
    const now = this.#clock.now();
    if (this.#park) {
      // The same credential would be refused again, whatever woke us.
      const changed = typeof facts.credential === "string" &&
        facts.credential !== this.#park.refused;
      return changed && isDue(this.#park.resumeAt, now);
    }
    if (!this.#pause) return true;
    if (event === "online" && this.#pause.why === "offline") return true;
    return isDue(this.#pause.until, now);
  }

  #setPark(facts: ServiceFacts): void {
    const refused = facts.refused ?? null;
    // That nobody is signed in is no refusal, so the first session resumes at once.
    if (refused !== null) this.#authStreak++;
    const wait = refused === null ? 0 : authWaitMs(this.#authStreak, this.#retry);
    this.#pause = null;
    this.#park = { refused, streak: this.#authStreak, resumeAt: this.#clock.now() + wait };
    this.#say("parked", {
      what: "batch",
      streak: this.#authStreak,
      resume_at: new Date(this.#park.resumeAt).toISOString(),
      ...facts.reason,
    });
  }

  #setPause(facts: ServiceFacts): void {
    const why = facts.why ?? "failing";
    this.#pauseStreak++;
    const backoff = backoffMs(
      this.#clock,
      this.#retry.interval_seconds * 1000,
      this.#pauseStreak,
      900_000,
    );
    // A Retry-After of a day is about that item: perhaps a quota of one kind of upload. The others are tried each hour.
    const asked = Math.min(facts.retryAfterMs ?? 0, longestWaitMs);
    const until = this.#clock.now() + Math.max(backoff, asked);
    this.#pause = { why, until, streak: this.#pauseStreak, reason: facts.reason };
    this.#say("paused", { why, until: new Date(until).toISOString(), ...facts.reason });
  }
}
