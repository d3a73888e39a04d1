/** Everything one seed runs in: catalog, store, time, and what the outside was told. */
import { createSqlCatalog } from "../../../shared/catalog/sql_catalog.ts";
import type { Catalog } from "../../../shared/catalog/catalog.ts";
import type { Clock } from "../../../shared/compaction/clock.ts";
import { SedimentError } from "../../../shared/errors.ts";
import { createMemoryStore, type MemoryStore } from "../../../shared/storage/memory_store.ts";
import type { ObjectStore } from "../../../shared/storage/object_store.ts";
import type { SimulatedDatabase } from "./database.ts";
import { Random } from "./random.ts";
import { type FaultPlan, Scheduler } from "./scheduler.ts";

/** An upload as its client sees it. */
export interface ClientUpload {
  dataset: string;
  table: string;
  hash: string;
  rows: string[];
  /** The client was told 200. */
  acknowledged: boolean;
  /** The first answer, where there was one. */
  answer?: unknown;
}

/** Seconds after which no lease of now is left. */
export const pastEveryLease = 700;

/** One seed's world. */
export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly store: MemoryStore = createMemoryStore();
  readonly catalog: Catalog;
  readonly uploads: ClientUpload[] = [];
  /** What was seen to be wrong while the seed ran. */
  readonly violations: string[] = [];

  constructor(readonly database: SimulatedDatabase, seed: number, faults: FaultPlan) {
    this.random = new Random(seed);
    this.scheduler = new Scheduler(new Random(seed * 7919 + 1), faults);
    this.catalog = createSqlCatalog(database.sql);
  }

  /** The catalog as an actor reaches it: every call is a gate. */
  catalogOf(actor: string): Catalog {
    const late = () => this.database.advance(pastEveryLease);
    return new Proxy(this.catalog, {
      get: (target, method: keyof Catalog & string) => (args: never) =>
        this.scheduler.pass(
          actor,
          `${method}${brief(args)}`,
          () => (target[method] as (args: never) => Promise<unknown>)(args),
          () => new SedimentError("catalog_failed", `${method}: injected`),
          late,
        ),
    });
  }

  /** The store as an actor reaches it. */
  storeOf(actor: string): ObjectStore {
    const late = () => this.database.advance(pastEveryLease);
    return new Proxy(this.store as ObjectStore, {
      get: (target, method: keyof ObjectStore & string) => (...args: never[]) =>
        this.scheduler.pass(
          actor,
          `${method} ${String(args[0]).slice(0, 120)}`,
          () => (target[method] as (...args: never[]) => Promise<unknown>)(...args),
          () => new SedimentError("store_failed", `${method}: injected`),
          late,
        ),
    });
  }

  /** Time as an actor lives it: a wait is a gate, and lets that much time pass. */
  clockOf(actor: string): Clock {
    return {
      now: () => new Date(),
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
}

/** The arguments that tell one call from another in a trace. */
function brief(args: Record<string, unknown> | undefined): string {
  if (!args) return "";
  const told = ["table", "run", "n", "token", "stage", "inputs", "file", "last"]
    .filter((name) => args[name] !== undefined)
    .map((name) => `${name}=${JSON.stringify(args[name])}`);
  return told.length > 0 ? ` ${told.join(" ")}` : "";
}
