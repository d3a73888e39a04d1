/**
 * What stands around the work, and fails for a while as a whole: a store that is away or refuses the key, a catalog
 * that writes nothing, ranges that come short. Unlike the faults of single calls it lasts, and hits everybody.
 */
import { SedimentError } from "../../../shared/errors.ts";
import type { Random } from "./random.ts";

/** What fails during a spell. */
export type Spell =
  /** Every call of the store fails: 503. */
  | "store_away"
  /** The store refuses the key: 401, 403. */
  | "store_denied"
  /** Only writes fail: a full disk. */
  | "store_full"
  /** One object in two is not found, for less time than a second look takes: a replica that is behind. */
  | "forgetful"
  /** Ranges come with half of their bytes. */
  | "short_reads"
  /** The catalog refuses the key, as PostgREST does with a token from the future. */
  | "catalog_denied"
  /** The catalog reads and does not write: a failover, a full disk. */
  | "read_only";

/** A spell and the steps of the scheduler in which it lasts. */
interface Period {
  spell: Spell;
  from: number;
  until: number;
}

/** The catalog's methods that change nothing. */
const reads = /^(listFiles|listFragments|getFile|runStatus|listDeadLetters)/;
const storeWrites = /^(put|startUpload|part|finish|copy|delete)/;

/** See the module's head. */
export class Weather {
  #periods: Period[];
  /** Calls that it has failed. */
  met = 0;

  /**
   * @param steps of the storm
   * @param counts of spells, one of which the seed has
   * @param forgetful how much more often than others the store forgets
   */
  constructor(
    random: Random,
    steps: number,
    counts: readonly number[] = [0, 1, 2, 3],
    forgetful = 0,
  ) {
    const spells: Spell[] = [
      "store_away",
      "store_denied",
      "store_full",
      "short_reads",
      "forgetful",
      "catalog_denied",
      "read_only",
      // it is met only where something is read meanwhile
      ...Array<Spell>(forgetful).fill("forgetful"),
    ];
    this.#periods = Array.from({ length: random.pick(counts) }, () => {
      const from = random.whole(0, steps);
      return { spell: random.pick(spells), from, until: from + random.whole(20, 120) };
    });
  }

  /** One more spell. */
  add(spell: Spell, from: number, until: number): void {
    this.#periods.push({ spell, from, until });
    if (spell === "forgetful") this.#forgettingSince = undefined;
  }

  /** Ends all spells. */
  clear(): void {
    this.#periods = [];
  }

  /** Whether a spell lasts at a step. */
  has(spell: Spell, step: number): boolean {
    return this.#periods.some((one) => one.spell === spell && one.from <= step && step < one.until);
  }

  /** When the store began to miss objects; it does so for a while only, whatever the steps. */
  #forgettingSince: number | undefined;

  /** What a call of the store meets, or null. */
  ofStore(call: string, step: number, now: Date): SedimentError | null {
    return this.#counted(this.#metByStore(call, step, now));
  }

  #metByStore(call: string, step: number, now: Date): SedimentError | null {
    if (this.has("forgetful", step)) {
      const missed = call.charCodeAt(call.length - 12) % 2 === 0;
      if (missed && /^(getRange|head)/.test(call)) {
        const since = this.#forgettingSince ??= now.getTime();
        const seconds = (now.getTime() - since) / 1000;
        if (seconds >= 0 && seconds < 38) {
          return new SedimentError("object_missing", `${call}: 404`);
        }
      }
    }
    if (this.has("store_denied", step)) return new SedimentError("misconfigured", `${call}: 403`);
    if (this.has("store_away", step)) return new SedimentError("store_failed", `${call}: 503`);
    if (this.has("store_full", step) && storeWrites.test(call)) {
      return new SedimentError("store_failed", `${call}: no space left on device`);
    }
    return null;
  }

  /** What a call of the catalog meets, or null. */
  ofCatalog(method: string, step: number): SedimentError | null {
    return this.#counted(this.#metByCatalog(method, step));
  }

  #counted(met: SedimentError | null): SedimentError | null {
    if (met !== null) this.met++;
    return met;
  }

  #metByCatalog(method: string, step: number): SedimentError | null {
    if (this.has("catalog_denied", step)) {
      return new SedimentError("catalog_failed", `${method}: JWT issued at future (PGRST303)`);
    }
    if (this.has("read_only", step) && !reads.test(method)) {
      return new SedimentError("catalog_failed", `${method}: read-only transaction (25006)`);
    }
    return null;
  }
}
