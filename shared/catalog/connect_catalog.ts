/**
 * The catalog over connections of one's own to PostgreSQL: what a call crosses is one socket, where PostgREST's way
 * has two HTTP hops. Calls of uploads are grouped one group at a time, so a process needs one connection for them;
 * the others are for what comes beside.
 */
import type { Sql } from "postgres";
import { SedimentError } from "../errors.ts";
import { type Catalog, catalogOver } from "./catalog_methods.ts";
import { swallowDriverWrites } from "./driver_errors.ts";
import { callFunction } from "./sql_catalog.ts";

/** Bounds of a {@link connectCatalog}. */
export interface ConnectOptions {
  /** Connections of this process. @default 3 */
  maxConnections?: number;
  /** Seconds without a call after which a connection is closed. @default 20 */
  idleSeconds?: number;
  /** Seconds that a call waits for its answer before the connections are given up. @default 30 */
  answerSeconds?: number;
}

/** A catalog and its connections. */
export interface ConnectedCatalog {
  catalog: Catalog;
  /** Closes the connections; calls on their way have two seconds to end. */
  close(): Promise<void>;
}

/**
 * Nothing is connected, and no driver loaded, before the first call.
 *
 * @param url `postgresql://user:password@host:port/database` of a role that may call the functions: service_role, a
 * member of it (`?role=service_role`), or their owner. The driver's settings go into its query, such as `prepare=false`
 * for a pooler that knows no prepared statements.
 * @throws (from the methods) as createCatalog's; `catalog_failed` where the database is not reached or is silent
 */
export function connectCatalog(url: string, options: ConnectOptions = {}): ConnectedCatalog {
  const { maxConnections = 3, idleSeconds = 20, answerSeconds = 30 } = options;
  const guard = swallowDriverWrites();
  let opened: Promise<Sql> | undefined;
  let closed = false;

  async function open(): Promise<Sql> {
    const { default: postgres } = await import("postgres");
    return postgres(url, {
      max: maxConnections,
      idle_timeout: idleSeconds,
      connect_timeout: 10,
      onnotice: () => {},
    });
  }

  async function giveUp(pool: Promise<Sql>, timeout: number): Promise<void> {
    if (opened === pool) opened = undefined;
    await (await pool).end({ timeout });
  }

  const catalog = catalogOver(async (functionName, args, options) => {
    if (closed) throw new SedimentError("catalog_failed", `${functionName}: the catalog is closed`);
    const pool = opened ??= open();
    const call = callFunction(await pool, functionName, args, options);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // A connection that went silent may stay so for minutes: the next call gets another.
        void giveUp(pool, 0);
        const detail = `${functionName}: no answer in ${answerSeconds} s`;
        reject(new SedimentError("catalog_failed", detail));
      }, answerSeconds * 1000);
    });
    try {
      return await Promise.race([call, silence]);
    } finally {
      clearTimeout(timer);
    }
  });

  return {
    catalog,
    async close() {
      if (closed) return;
      closed = true;
      if (opened !== undefined) await giveUp(opened, 2);
      guard[Symbol.dispose]();
    },
  };
}
