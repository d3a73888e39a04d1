/** A few connections that calls take in turn, one call at a time each: what hangs holds up only itself. */
import { SedimentError } from "../errors.ts";
import type { Connection } from "./connection.ts";

/** Bounds of {@link shareConnections}. */
export interface ShareOptions {
  /** Opens one; `onOver` is for when it is over by itself. */
  open(onOver: () => void): Connection;
  max: number;
  /** Seconds without a call after which one is closed. */
  idleSeconds: number;
  /** Seconds that a call waits until one is free. */
  waitSeconds: number;
  /** Seconds after which one is not used again, so that what the server keeps for it does not grow. @default 1800 */
  maxAgeSeconds?: number;
}

/** Connections that are shared. */
export interface Connections {
  /** Runs work on a connection that nobody else has meanwhile. */
  use<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Ends all; work on its way has that many seconds, work that waits has none. */
  close(seconds: number): Promise<void>;
}

interface Waiter {
  go(connection: Connection): void;
  fail(reason: SedimentError): void;
}

/** @throws (from use) SedimentError `catalog_failed` when none is free in time, or after close */
export function shareConnections(options: ShareOptions): Connections {
  const { open, max, idleSeconds, waitSeconds, maxAgeSeconds = 1800 } = options;
  /** All that are not over, with the time when each was opened, ms. */
  const all = new Map<Connection, number>();
  /** Those without work; the one used last comes last and is taken first, so that the others may be closed. */
  const idle = new Map<Connection, ReturnType<typeof setTimeout>>();
  const waiting: Waiter[] = [];
  let closed = false;
  let drained: (() => void) | undefined;

  function remove(connection: Connection): void {
    clearTimeout(idle.get(connection));
    idle.delete(connection);
    all.delete(connection);
    if (closed) {
      if (all.size === 0) drained?.();
    } else if (waiting.length > 0) waiting.shift()!.go(add());
  }

  function add(): Connection {
    const connection = open(() => remove(connection));
    all.set(connection, performance.now());
    return connection;
  }

  function take(): Promise<Connection> {
    if (closed) return Promise.reject(closedError());
    const spare = [...idle.keys()].at(-1);
    if (spare !== undefined) {
      clearTimeout(idle.get(spare));
      idle.delete(spare);
      return Promise.resolve(spare);
    }
    if (all.size < max) return Promise.resolve(add());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        go(connection) {
          clearTimeout(timer);
          resolve(connection);
        },
        fail(reason) {
          clearTimeout(timer);
          reject(reason);
        },
      };
      const timer = setTimeout(() => {
        const at = waiting.indexOf(waiter);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(new SedimentError("catalog_failed", `no connection was free in ${waitSeconds} s`));
      }, waitSeconds * 1000);
      waiting.push(waiter);
    });
  }

  function giveBack(connection: Connection): void {
    if (!all.has(connection)) return; // it is over
    const isOld = performance.now() - all.get(connection)! > maxAgeSeconds * 1000;
    if (closed || isOld) return void retire(connection);
    const next = waiting.shift();
    if (next !== undefined) next.go(connection);
    else {
      // Asked again when it is time: Deno 2.1 can't clear a timer that is due in the same turn.
      const closeIdle = () => idle.has(connection) && void retire(connection);
      idle.set(connection, setTimeout(closeIdle, idleSeconds * 1000));
    }
  }

  function retire(connection: Connection): Promise<void> {
    const ended = connection.end();
    remove(connection);
    return ended;
  }

  return {
    async use(work) {
      const connection = await take();
      try {
        return await work(connection);
      } finally {
        giveBack(connection);
      }
    },
    async close(seconds) {
      closed = true;
      for (const waiter of waiting.splice(0)) waiter.fail(closedError());
      const ended = [...idle.keys()].map(retire);
      if (all.size > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, seconds * 1000);
          drained = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      ended.push(...[...all.keys()].map(retire));
      await Promise.all(ended);
    },
  };
}

function closedError(): SedimentError {
  return new SedimentError("catalog_failed", "the catalog is closed");
}
