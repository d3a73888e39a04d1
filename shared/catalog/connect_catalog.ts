/**
 * The catalog over connections of one's own to PostgreSQL: what a call crosses is one socket, where PostgREST's way
 * has two HTTP hops. Calls of uploads are grouped one group at a time, so a process needs one connection for them;
 * the others are for what comes beside.
 */
import { SedimentError } from "../errors.ts";
import { type Catalog, catalogOver, type CatalogTransport } from "./catalog_methods.ts";
import { fairCalls } from "./fair_calls.ts";
import { openConnection } from "./connection.ts";
import { shareConnections } from "./connections.ts";
import { quietCall, quietRefusals } from "./quiet_refusals.ts";
import { unlessAborted } from "./unless_aborted.ts";

/** Bounds of a {@link connectCatalog}. */
export interface ConnectOptions {
  /** Connections of this process. @default 3 */
  maxConnections?: number;
  /** Seconds without a call after which a connection is closed. @default 20 */
  idleSeconds?: number;
  /**
   * Seconds that a call waits for its answer before its connection is given up, and before that for a connection
   * when all are in use. The server is told to stop then, and to stop by itself after as long. @default 30
   */
  answerSeconds?: number;
  /** The same of what a user asks, as PostgREST has it on hosted projects. @default 8 */
  userSeconds?: number;
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
 * @param url `postgresql://user:password@host:port/database` of a role that may call the functions: their owner, or
 * service_role or who is a member of it. Its query may hold settings of the server (`?role=service_role`,
 * `statement_timeout=8000`) and of postgres.js (`prepare=false`, `sslmode=require`).
 *
 * A pooler in transaction mode (as tested: PgBouncer 1.18) takes no settings of the server in the URL: it refuses them,
 * or where its ignore_startup_parameters names them they have no effect. The login then is one that may call the
 * functions by itself, and has its limits by `alter role … set statement_timeout`. Statements need not be kept: where
 * the pooler gives a call to another server than the one before, the connection goes on without prepared statements;
 * `prepare=false` says so at once.
 *
 * Without sslmode nothing is encrypted. With it, postgres.js 3.4.9 connects on Deno 2.9; on Deno 2.1, whose API hosted
 * isolates have, it does not, and each call is `catalog_failed` after ten seconds.
 * @throws (from the methods) as createCatalog's; `catalog_failed` where the database is not reached or is silent,
 * `misconfigured` where it refuses the login or a setting
 */
export function connectCatalog(url: string, options: ConnectOptions = {}): ConnectedCatalog {
  const { maxConnections = 3, idleSeconds = 20, answerSeconds = 30, userSeconds = 8 } = options;
  /** Undefined once a pooler has refused it: then the login's own limit holds. */
  let statementSeconds: number | undefined = answerSeconds;
  const connections = shareConnections({
    open: (onOver) => openConnection({ url, answerSeconds, statementSeconds, onOver }),
    max: maxConnections,
    idleSeconds,
    waitSeconds: answerSeconds,
  });

  const transport: CatalogTransport = (functionName, args, { signal }) => {
    const seconds = isUsers(functionName, args) ? Math.min(userSeconds, answerSeconds) : undefined;
    const call = () =>
      connections.use(async (connection) => {
        signal?.throwIfAborted(); // while it waited: nobody would see the answer
        return await connection.call(functionName, args, seconds);
      });
    return unlessAborted(functionName, signal, async () => {
      try {
        return await call();
      } catch (error) {
        if (statementSeconds === undefined || !refusesTimeout(error)) throw error;
        statementSeconds = undefined;
        return await call(); // it had not come past the login
      }
    });
  };
  // one connection is left for what is not one user's: the groups of uploads
  const total = Math.max(1, maxConnections - 1);
  const catalog = catalogOver(
    fairCalls(quietRefusals(transport), { total, perUser: Math.ceil(total / 2) }),
  );

  let closing: Promise<void> | undefined;
  return { catalog, close: () => closing ??= connections.close(2) };
}

function isUsers(functionName: string, args: Record<string, unknown>): boolean {
  if (functionName === quietCall) {
    return isUsers(String(args.p_function), args.p_args as Record<string, unknown>);
  }
  return typeof args.p_user === "string";
}

/** PgBouncer refuses the settings that it does not know, before the server sees the login. */
function refusesTimeout(error: unknown): boolean {
  return error instanceof SedimentError &&
    /startup parameter:? *"?statement_timeout/.test(error.message);
}
