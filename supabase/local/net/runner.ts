/** The worker of the pg_net stand-in: takes queued requests after commit, sends them, records the answers. */
import type { Sql } from "postgres";

/** As pg_net's own setting. */
const batchSize = 200;
/** Answers are kept this long, as pg_net.ttl. */
const answerHours = 6;

interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Uint8Array | null;
  timeout_milliseconds: number;
}

export interface NetRunner {
  /** Looks at the queue now; called when the database says that something was queued. */
  wake(): void;
  stop(): Promise<void>;
}

/**
 * Starts the worker. Like the real one it takes a request out of the queue before it is sent: at most once.
 *
 * @param sql superuser connection
 */
export function startNetRunner(sql: Sql): NetRunner {
  const stopping = new AbortController();
  let looking: Promise<void> | undefined;
  let again = false;

  const look = async () => {
    do {
      again = false;
      const [{ known }] = await sql`
        select to_regclass('net.http_request_queue') is not null as known`;
      if (!known || stopping.signal.aborted) return;
      const batch = await sql<QueuedRequest[]>`
        with next as (
          select id from net.http_request_queue order by id limit ${batchSize} for update skip locked
        )
        delete from net.http_request_queue q using next where q.id = next.id
        returning q.id, q.method, q.url, q.headers, q.body, q.timeout_milliseconds`;
      // One batch at a time, as pg_net: a slow answer holds up those behind it until its timeout. When the
      // database is gone an answer is lost, as it would be.
      await Promise.all(
        batch.map((request) => send(sql, request, stopping.signal).catch(() => {})),
      );
      if (batch.length > 0) again = true;
    } while (again);
  };
  const wake = () => {
    if (stopping.signal.aborted) return;
    if (looking) {
      again = true;
      return;
    }
    looking = look().catch(() => {}).finally(() => looking = undefined);
  };
  // A notification can be lost with its connection; real pg_net polls as well.
  const poll = setInterval(wake, 1_000);
  const expire = setInterval(() => {
    sql`select to_regclass('net._http_response') is not null as known`
      .then(([{ known }]) =>
        known && sql`
          delete from net._http_response where created < now() - ${answerHours} * interval '1 hour'`
      ).catch(() => {});
  }, 60_000);
  wake();
  return {
    wake,
    async stop() {
      clearInterval(poll);
      clearInterval(expire);
      stopping.abort();
      await looking;
    },
  };
}

async function send(sql: Sql, request: QueuedRequest, stopping: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(request.timeout_milliseconds);
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      body: request.body ? Uint8Array.from(request.body) : undefined,
      redirect: "manual",
      signal: AbortSignal.any([timeout, stopping]),
    });
    const content = await response.text();
    await sql`
      insert into net._http_response (id, status_code, content_type, headers, content, timed_out)
      values (${request.id}, ${response.status}, ${response.headers.get("content-type")},
        ${sql.json(Object.fromEntries(response.headers))}, ${content}, false)`;
  } catch (error) {
    if (stopping.aborted) return;
    const message = timeout.aborted
      ? `Timeout of ${request.timeout_milliseconds} ms reached.`
      : (error as Error).message;
    await sql`
      insert into net._http_response (id, timed_out, error_msg)
      values (${request.id}, ${timeout.aborted}, ${message})`;
  }
}
