/**
 * The catalog over connections of one's own to PostgreSQL: what a call crosses is one socket, where PostgREST's way
 * has two HTTP hops. Calls of uploads are grouped one group at a time, so a process needs one connection for them;
 * the others are for what comes beside.
 */
import { type Catalog, catalogOver } from "./catalog_methods.ts";
import { openConnection } from "./connection.ts";
import { shareConnections } from "./connections.ts";
import { unlessAborted } from "./sql_catalog.ts";

/** Bounds of a {@link connectCatalog}. */
export interface ConnectOptions {
  /** Connections of this process. @default 3 */
  maxConnections?: number;
  /** Seconds without a call after which a connection is closed. @default 20 */
  idleSeconds?: number;
  /**
   * Seconds that a call waits for its answer before its connection is given up, and before that for a connection
   * when all are in use. @default 30
   */
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
 * @throws (from the methods) as createCatalog's; `catalog_failed` where the database is not reached or is silent,
 * `misconfigured` where it refuses the login
 */
export function connectCatalog(url: string, options: ConnectOptions = {}): ConnectedCatalog {
  const { maxConnections = 3, idleSeconds = 20, answerSeconds = 30 } = options;
  const connections = shareConnections({
    open: (onOver) => openConnection({ url, answerSeconds, onOver }),
    max: maxConnections,
    idleSeconds,
    waitSeconds: answerSeconds,
  });

  const catalog = catalogOver((functionName, args, { signal }) =>
    unlessAborted(functionName, signal, () =>
      connections.use(async (connection) => {
        signal?.throwIfAborted(); // while it waited: nobody would see the answer
        return await connection.call(functionName, args);
      }))
  );

  let closing: Promise<void> | undefined;
  return { catalog, close: () => closing ??= connections.close(2) };
}
