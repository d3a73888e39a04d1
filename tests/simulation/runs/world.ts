/** Everything one seed runs in: catalog, store, time, and what the outside was told. */
import { createSqlCatalog } from "../../support/sql_catalog.ts";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { Clock } from "../../../shared/clock.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { createMemoryStore, type MemoryStore } from "../../support/memory_store.ts";
import type { ObjectStore, ObjectUpload } from "../../../shared/storage/object_store.ts";
import type { SimulatedDatabase } from "./database.ts";
import { GatedUpload } from "./gated_upload.ts";
import { Random } from "./random.ts";
import { type FaultPlan, Scheduler } from "./scheduler.ts";
import type { Weather } from "./weather.ts";
import { watchAges } from "./watch_ages.ts";
import { watchDeletions } from "./watch_deletions.ts";
import { watchField } from "./watch_field.ts";
import { watchKeys } from "./watch_keys.ts";
import { watchMembers } from "./watch_members.ts";
import { Witness } from "./witness.ts";

/** An upload as its client sees it. */
export interface ClientUpload {
  dataset: string;
  table: string;
  period: string;
  hash: string;
  rows: string[];
  /** The client was told 200. */
  acknowledged: boolean;
  /** The first answer, where there was one. */
  answer?: unknown;
  /** Sends it once more, as a client that still has the bytes does. */
  again?: () => Promise<{ healed?: true }>;
}

/** Seconds that a stalled call may take: past a lease, past every lease, past the last PUT of a stage (7,320). */
const stalls = [65, 65, 700, 700, 8_000];

/** One seed's world. */
export class World {
  /** The actors' chance. */
  readonly random: Random;
  /** The checks' own, so that looking more often changes nothing. */
  readonly checks: Random;
  readonly scheduler: Scheduler;
  readonly store: MemoryStore;
  readonly #stall: () => Promise<void>;
  readonly #witness: Witness;
  readonly catalog: Catalog;
  readonly uploads: ClientUpload[] = [];
  /** Objects that were lost or changed behind the service's back, with the bytes that they had. */
  readonly decayed = new Map<string, Uint8Array>();
  /** The period tags that uploads have. */
  periods: string[] = ["0"];
  /** Rows that ended by their age, and the version from which they are gone. */
  readonly ended: { dataset: string; row: string; version: number }[] = [];
  /** When the storm was over: from then on workers die of files alone. */
  calmSince = new Date(0);
  /** Whether somebody deletes in this seed; others go as they went before there was such a thing. */
  deleting = false;
  /** Whether tables come into the lake. */
  lake = false;
  /** What the lake shows, in such a seed. */
  publications?: { publish(all?: boolean): Promise<void>; comeToRest(): Promise<void> };
  /** What chance renames tables by; absent: nobody does. */
  naming?: Random;
  /** Users beside the owners where datasets are shared; in other seeds none, which go as they went before. */
  guests: string[] = [];
  /** Users that Auth has for keys. */
  readonly authUsers = new Set<string>();
  /** Users of keys that somebody has revoked, or that a handover has ended: what the outside was told. */
  readonly endedKeys = new Set<string>();
  /** What chance sets the clocks of workers apart by; absent: they tell the catalog's time. */
  clocksApart?: Random;
  readonly #apart = new Map<string, number>();
  /** How likely a file kills who merges it. */
  killing = 0;
  /** Whether workers tell the groups of schemas that they leave; in most seeds they are those of before, which did not. */
  tellsGroups = true;
  /** Whether workers take part that plan no dedupe tables. */
  oldWorkers = false;
  /** Partitions whose last claim was judged by other files or settings than it gave, and the claim's token. */
  readonly misjudged = new Map<string, number>();
  /** What was seen to be wrong while the seed ran. */
  readonly violations: string[] = [];

  constructor(
    readonly database: SimulatedDatabase,
    readonly seed: number,
    faults: FaultPlan,
    /** What fails as a whole; without it nothing does. */
    readonly weather?: Weather,
  ) {
    this.random = new Random(seed);
    this.checks = new Random(seed * 15_485_863 + 5);
    this.scheduler = new Scheduler(new Random(seed * 7919 + 1), faults);
    this.catalog = this.#tellingAs(createSqlCatalog(database.sql));
    // Every second seed has a store that takes objects in parts, as S3 does.
    this.store = createMemoryStore({
      now: () => database.now().getTime(),
      uploads: seed % 2 === 0,
    });
    this.#witness = new Witness(this.violations);
    const chance = new Random(seed * 104_729 + 3);
    this.#stall = () => database.advance(chance.pick(stalls));
  }

  /** A catalog whose workers tell of groups where this world has it so. */
  #tellingAs(catalog: Catalog): Catalog {
    const commitCompaction: Catalog["commitCompaction"] = (args, options) => {
      const { waiting } = args.result ?? {};
      if (this.tellsGroups || waiting?.groups === undefined) {
        return catalog.commitCompaction(args, options);
      }
      const untold = { ...args.result, waiting: { ...waiting, groups: undefined } };
      return catalog.commitCompaction({ ...args, result: untold }, options);
    };
    return new Proxy(catalog, {
      get: (target, method: keyof Catalog) =>
        method === "commitCompaction" ? commitCompaction : target[method],
    });
  }

  /** The catalog as an actor reaches it: every call is a gate. */
  catalogOf(actor: string): Catalog {
    return new Proxy(this.catalog, {
      get: (target, method: keyof Catalog & string) => (args: never) =>
        this.scheduler.pass(
          actor,
          `${method}${brief(args)}`,
          () => {
            const met = this.weather?.ofCatalog(method, this.scheduler.steps);
            if (met) return Promise.reject(met);
            return this.#witness.see(method, args, () =>
              watchField(
                this.database,
                this.violations,
                method,
                args,
                () =>
                  watchDeletions(
                    this.database,
                    this.violations,
                    method,
                    () =>
                      watchAges(
                        this,
                        method,
                        () =>
                          watchMembers(
                            this.database,
                            this.violations,
                            method,
                            args,
                            () =>
                              watchKeys(
                                this,
                                method,
                                args,
                                () => (target[method] as (args: never) => Promise<unknown>)(args),
                              ),
                          ),
                      ),
                  ),
              ));
          },
          () => new SedimentError("catalog_failed", `${method}: injected`),
          this.#stall,
        ),
    });
  }

  /** The store as an actor reaches it. */
  storeOf(actor: string): ObjectStore {
    return new Proxy(this.store as ObjectStore, {
      get: (target, method: keyof ObjectStore & string) => {
        if (target[method] === undefined) return undefined;
        return async (...args: never[]) => {
          const key = String(args[0]);
          const answer = await this.storeCall(
            actor,
            `${method} ${key.slice(0, 120)}`,
            async () => {
              if (method === "put") await this.inTime(key);
              return await (target[method] as (...args: never[]) => Promise<unknown>)(...args);
            },
          );
          if (method !== "startUpload") return answer;
          return new GatedUpload(
            answer as ObjectUpload,
            (call, effect) => this.storeCall(actor, `${call} ${key}`, effect),
            () => this.inTime(key),
          );
        };
      },
    });
  }

  /** One request to the store. */
  protected storeCall<T>(actor: string, call: string, effect: () => Promise<T>): Promise<T> {
    const failure = () => new SedimentError("store_failed", `${call}: injected`);
    const inWeather = async () => {
      const { weather, scheduler } = this;
      const met = weather?.ofStore(call, scheduler.steps, this.database.now());
      // a look at what is missing says so, and does not fail
      if (met?.code === "object_missing" && call.startsWith("head")) return null as T;
      if (met) throw met;
      const answer = await effect();
      if (!(answer instanceof Uint8Array) || !weather?.has("short_reads", scheduler.steps)) {
        return answer;
      }
      return answer.subarray(0, answer.byteLength >> 1) as T;
    };
    return this.scheduler.pass(actor, call, inWeather, failure, this.#stall);
  }

  /** What the platform sees to: upload URLs end, and so do isolates; no PUT comes after its deadline. */
  protected async inTime(key: string): Promise<void> {
    const [row] = await this.database.sql`
      select put_deadline < simulation.clock() as over from public.objects where object_key = ${key}`;
    if (row?.over ?? true) {
      throw new SedimentError("store_failed", `${key}: the time for its PUT is over`);
    }
  }

  /** Time as an actor lives it: a wait is a gate, and lets that much time pass. */
  clockOf(actor: string): Clock {
    return {
      now: () => this.database.now().getTime() + this.#apartOf(actor),
      monotonic: () => this.database.now().getTime(),
      random: () => this.random.next(),
      sleep: (ms) =>
        this.scheduler.pass(
          actor,
          `sleep ${ms}`,
          () => this.database.advance(ms / 1000),
          () => new SedimentError("aborted", "sleep: injected"),
          () => Promise.resolve(),
        ),
    };
  }

  /** By how much a worker's clock differs from the catalog's, milliseconds. */
  #apartOf(actor: string): number {
    if (this.clocksApart === undefined || !actor.startsWith("worker")) return 0;
    const known = this.#apart.get(actor);
    if (known !== undefined) return known;
    const apart = 1000 * this.clocksApart.pick([-7200, -600, -30, 0, 30, 600, 7200]);
    this.#apart.set(actor, apart);
    return apart;
  }
}

/** The arguments that tell one call from another in a trace. */
function brief(args: Record<string, unknown> | undefined): string {
  if (!args) return "";
  const told = ["table", "run", "n", "token", "stage", "inputs", "file", "last", "remakes"]
    .filter((name) => args[name] !== undefined)
    .map((name) => `${name}=${JSON.stringify(args[name])}`);
  return told.length > 0 ? ` ${told.join(" ")}` : "";
}
