/** One HTTP exchange: time limit, bounded answer, and a verdict instead of an exception. */
import { retryAfterMs } from "../backoff.ts";
import { type Clock, deadline } from "../../clock.ts";
import { plainText, plainValue } from "../plain_text.ts";
import type { CountingFetch } from "./xhr_fetch.ts";
import { type Answer, judgeFailure, type Verdict } from "./verdict.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What all exchanges of one attempt share. */
export interface ExchangeTools {
  fetch: Fetch;
  /** For bodies of which it is told how much has left; @default fetch, and nothing is told on the way */
  countingFetch?: CountingFetch;
  clock: Clock;
  signal: AbortSignal;
  /** Milliseconds for one request that carries `bytes`. */
  timeoutMs(bytes: number): number;
}

/** An answer, or the verdict on there being none. */
export type Exchanged = { answer: Answer } | { verdict: Verdict };

// A body of 128 tables (the service's limit) is answered with 60 KB; an HTML page may be anything.
const longestAnswer = 256 * 1024;

/** Sends one request and reads its answer. Redirects are not followed: a login page is no answer. */
export async function exchange(
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body: BodyInit;
    bytes: number;
    /** Told how many bytes have left, where that can be known. */
    onSent?: (bytes: number) => void;
  },
  tools: ExchangeTools,
): Promise<Exchanged> {
  const limit = deadline(tools.clock, tools.timeoutMs(init.bytes), tools.signal);
  try {
    const { method, headers, body } = init;
    const options: RequestInit = { method, headers, body, redirect: "manual" };
    const { onSent } = init;
    const send = onSent && tools.countingFetch;
    const all = { ...options, signal: limit.signal };
    const response = await (send ? send(url, all, onSent) : tools.fetch(url, all));
    const text = await readBounded(response);
    let json: unknown = null;
    try {
      json = JSON.parse(text);
    } catch { /* not the service's */ }
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    return {
      answer: {
        status: response.status,
        json: isObject ? plainValue(json as Record<string, unknown>) : null,
        text: plainText(text.slice(0, 500)),
        retryAfterMs: retryAfterMs(
          response.headers.get("retry-after"),
          tools.clock.now(),
          response.headers.get("date"),
        ),
      },
    };
  } catch (thrown) {
    const verdict = judgeFailure(thrown, {
      timedOut: limit.timedOut(),
      stopped: tools.signal.aborted,
      online: globalThis.navigator?.onLine !== false,
    });
    return { verdict };
  } finally {
    limit.done();
  }
}

async function readBounded(response: Response): Promise<string> {
  if (!response.body) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "", size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    text += decoder.decode(value, { stream: true });
    if (size > longestAnswer) {
      await reader.cancel().catch(() => {});
      return text;
    }
  }
}
