/**
 * One connection to PostgreSQL: a socket that carries one call after the other until it fails, falls silent or is
 * closed, and is then over. postgres.js would connect again by itself, but after a failure it waits up to 20 s
 * before it tries, tries without end where the peer hangs up, and may send the rest of a broken call first.
 */
import { Socket } from "node:net";
import type { Options, PostgresType, Sql } from "postgres";
import { SedimentError } from "../errors.ts";
import { loadDriver } from "./load_driver.ts";
import { type CallPlan, queryFunction } from "./query_function.ts";
import { sqlError, type SqlErrorFields } from "./sql_error.ts";

/** A connection; `over` once and for ever. */
export interface Connection {
  readonly over: boolean;
  /**
   * Calls a function. The one call at a time is the caller's to see to.
   *
   * @param seconds that its answer may take. @default answerSeconds
   * @throws SedimentError as {@link sqlError}; `misconfigured` where the server refuses the login or the URL's settings
   */
  call(functionName: string, args: Record<string, unknown>, seconds?: number): Promise<unknown>;
  /** Ends it: after a word to the server when no call is on its way, else at once. */
  end(): Promise<void>;
}

/** What a {@link Connection} needs. */
export interface ConnectionOptions {
  url: string;
  /** Seconds that an answer may take, connecting included. */
  answerSeconds: number;
  /**
   * Seconds after which the server ends a statement by itself, whatever became of us. A function's own
   * `set statement_timeout` begins too late for that: the statement that calls it is on its way. @default the server's
   */
  statementSeconds?: number;
  /** It is over, and by no `end()`. */
  onOver(): void;
}

/** Nothing is connected before the first call. */
export function openConnection(
  { url, answerSeconds, statementSeconds, onOver }: ConnectionOptions,
): Connection {
  let over = false;
  const plan: CallPlan = { prepare: true };
  let socket: Socket | undefined;
  let server: DriverAddress | undefined;
  let giveUp: ((reason: SedimentError) => void) | undefined;
  const loading = load();
  loading.catch(() => {}); // the call says it

  async function load(): Promise<Sql> {
    const postgres = await loadDriver();
    const options: Options<Record<string, PostgresType>> & { socket: unknown } = {
      max: 1,
      // These are cared for here, where it is known whether a call is on its way.
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: connectSeconds,
      // A query for the types of arrays is spared: the functions take few, and give none.
      fetch_types: false,
      types: arrayTypes,
      connection: {
        application_name: "sediment",
        ...(statementSeconds !== undefined && { statement_timeout: statementSeconds * 1000 }),
      },
      onnotice: () => {},
      onclose: finish,
      socket: (address: DriverAddress) => {
        if (over || socket !== undefined) {
          finish();
          throw hungUp();
        }
        socket = new Socket();
        server = address;
        return connected(socket, address, Math.min(connectSeconds, answerSeconds));
      },
    };
    try {
      return postgres(url, options);
    } catch {
      // What it throws may quote the URL, and so the password.
      throw new SedimentError("misconfigured", "SEDIMENT_DATABASE_URL is not one that can be used");
    }
  }

  /** The socket goes at once: the end of a TCP connection waits for the other side. */
  function finish(): void {
    if (over) return;
    over = true;
    socket?.destroy();
    onOver();
  }

  async function call(
    functionName: string,
    args: Record<string, unknown>,
    seconds = answerSeconds,
  ): Promise<unknown> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = (reason) => {
        reject(reason);
        finish();
      };
      timer = setTimeout(() => {
        if (timer === undefined) return; // cleared too late to stop, as Deno 2.1 does
        const detail = `${functionName}: no answer in ${seconds} s`;
        if (server !== undefined) askToStop(server, plan.query?.state);
        giveUp?.(new SedimentError("catalog_failed", detail));
      }, seconds * 1000);
    });
    try {
      const query = loading.then((sql) => queryFunction(sql, functionName, args, plan));
      return await Promise.race([query, givenUp]);
    } catch (error) {
      if (!isOfCall(error)) finish();
      throw connectionError(error, functionName);
    } finally {
      clearTimeout(timer);
      timer = giveUp = plan.query = undefined;
    }
  }

  return {
    get over() {
      return over;
    },
    call,
    async end() {
      if (over) return;
      over = true;
      giveUp?.(new SedimentError("catalog_failed", "the catalog was closed"));
      if (giveUp === undefined && socket !== undefined) await (await loading).end({ timeout: 1 });
      socket?.destroy();
    },
  };
}

/** Seconds for TCP, and again for TLS and the login. */
const connectSeconds = 10;

interface DriverAddress {
  host: string[];
  port: number[];
  path?: string;
}

/** Connects a socket for the driver, which writes to what it gets at once, and to nobody's avail where it is refused. */
function connected(
  socket: Socket,
  { host: [host], port: [port], path }: DriverAddress,
  seconds: number,
): Promise<Socket> {
  Object.assign(socket, { host, port }); // the driver's TLS looks for the name here
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${host}:${port} was not reached in ${seconds} s`));
    const timer = setTimeout(late, seconds * 1000);
    socket.on("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(hungUp());
    });
    const done = () => {
      clearTimeout(timer);
      resolve(socket);
    };
    if (path) socket.connect(path, done);
    else socket.connect(port, host, done);
  });
}

/** What the server gave a connection to be known by, when its statement is to be stopped. */
export interface BackendKey {
  pid: number | null;
  secret: number | null;
}

/**
 * Asks the server to stop what a connection does, on a socket of its own; whether it does is not told
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS). For a connection that
 * is given up: the word names it and no statement.
 */
function askToStop({ host: [host], port: [port], path }: DriverAddress, key?: BackendKey): void {
  if (!key?.pid || key.secret === null) return;
  const request = new DataView(new ArrayBuffer(16));
  [16, 80877102, key.pid, key.secret].forEach((word, n) => request.setInt32(n * 4, word));
  const socket = new Socket();
  socket.setTimeout(connectSeconds * 1000, () => socket.destroy());
  socket.on("error", () => {});
  const send = () => socket.end(new Uint8Array(request.buffer));
  if (path) socket.connect(path, send);
  else socket.connect(port, host, send);
}

function hungUp(): Error {
  return Object.assign(new Error("the server hung up"), { code: "CONNECTION_CLOSED" });
}

/** By the numbers that PostgreSQL gives them, src/include/catalog/pg_type.dat. */
const arrayTypes = Object.fromEntries(
  Object.entries({ text: 1009, bigint: 1016 }).map(([name, to]) => [name, {
    to,
    from: [],
    serialize: arrayLiteral,
    parse: (text: string) => text,
  }]),
);

/** `{"a","b\"c"}`, https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayLiteral(values: readonly unknown[]): string {
  const quoted = (value: unknown) => `"${String(value).replace(/["\\]/g, "\\$&")}"`;
  return `{${values.map((value) => value === null ? "NULL" : quoted(value)).join(",")}}`;
}

type ServerError = SqlErrorFields & { severity?: string; severity_local?: string };

/**
 * What the function itself raised leaves the connection as it was: it came before the one row of the answer. All else
 * ends it. A timeout may come behind that row, and the driver then gives what it has read of it to the next call.
 */
function isOfCall(error: unknown): boolean {
  const { code = "", severity, severity_local } = error as ServerError;
  return (severity ?? severity_local) === "ERROR" && /^(SD|22|23|40|42|55|P0)/.test(code);
}

/** A login that is refused, for what no retry mends, is not the caller's doing. */
function connectionError(error: unknown, functionName: string): SedimentError {
  if (error instanceof SedimentError) return error;
  const { code = "", message = "", severity, severity_local } = error as ServerError;
  const refused = (severity ?? severity_local) === "FATAL" && (
    // The login, its database, a setting of the URL. PgBouncer's 08P01 may be anything, these among it.
    /^(0A|22|28|3D|42)/.test(code) || /startup parameter|authentication failed/.test(message)
  );
  if (!refused) return sqlError(error as SqlErrorFields, functionName);
  const said = `${functionName}: the database refuses the connection: ${message} (${code})`;
  return new SedimentError("misconfigured", said, { cause: error });
}
