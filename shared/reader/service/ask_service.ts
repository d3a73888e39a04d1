/** Questions to the service, answered in JSON; its problems as errors. */
import { isErrorCode, SedimentError } from "../../errors.ts";
import { type Deadline, startDeadline } from "../bytes/deadline.ts";
import { readBody } from "../bytes/read_body.ts";
import { tryTwice } from "../bytes/try_twice.ts";
import { authorised, type ReaderSession } from "./reader_session.ts";

/** Where the service is, and who asks. */
export interface Service {
  /** Of the functions, without a slash at its end. */
  functionsUrl: string;
  /** The project's publishable key, which a hosted gateway asks for. */
  key?: string;
  session: ReaderSession;
  fetch: typeof fetch;
  /** Milliseconds without an answer, or a byte of it, after which a request is given up. */
  deadlineMs: number;
  /** Milliseconds before a request is tried once more. */
  pauseMs: number;
}

/** Longer answers are refused: a page of 1,000 files takes about 1 MB. */
const longestAnswer = 64 * 1024 * 1024;

/**
 * GETs a route.
 *
 * @throws `not_signed_in`, `server_unreachable`, `connection_lost`, `answer_timeout`, the problem's own code,
 * `unexpected_answer`
 */
export async function ask(
  service: Service,
  path: string,
  query: Record<string, string | number | undefined>,
  signal?: AbortSignal,
): Promise<unknown> {
  const url = new URL(`${service.functionsUrl}/${path}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return await tryTwice(signal, service.pauseMs, () => askOnce(service, url, path, signal));
}

async function askOnce(service: Service, url: URL, path: string, signal?: AbortSignal) {
  const deadline = startDeadline(service.deadlineMs, path, signal);
  try {
    const headers = await authorised(service.session, service.key);
    let response: Response;
    try {
      response = await service.fetch(url, { headers, signal: deadline.signal });
    } catch (cause) {
      throw new SedimentError("server_unreachable", `${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
    deadline.extend();
    const text = await textOf(response, path, deadline);
    const answer = parse(text);
    if (response.ok && answer !== undefined) return answer;
    throw problemOf(response, answer, path);
  } catch (thrown) {
    if (deadline.signal.aborted) throw deadline.signal.reason;
    throw thrown;
  } finally {
    deadline.clear();
  }
}

async function textOf(
  response: Response,
  path: string,
  { signal, extend }: Deadline,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    await readBody(response, signal, (piece) => {
      extend();
      text += decoder.decode(piece, { stream: true });
      return text.length <= longestAnswer;
    });
  } catch (cause) {
    throw new SedimentError("connection_lost", `${path}: ${(cause as Error).message}`, { cause });
  }
  if (text.length <= longestAnswer) return text + decoder.decode();
  throw new SedimentError("unexpected_answer", `${path}: the answer has no end`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Problem {
  code?: unknown;
  detail?: unknown;
  field?: string;
  expected?: string;
}

function problemOf(response: Response, answer: unknown, path: string): SedimentError {
  const problem = (typeof answer === "object" && answer !== null ? answer : {}) as Problem;
  const { status } = response;
  const seconds = Number(response.headers.get("retry-after") ?? undefined);
  const passes = status >= 500 || status === 429 || response.ok;
  const code = isErrorCode(problem.code)
    ? problem.code
    : status === 401 || status === 403
    ? "forbidden"
    : passes
    ? "unexpected_answer"
    : "invalid_request";
  const detail = typeof problem.detail === "string" ? problem.detail : `HTTP ${status}`;
  return new SedimentError(code, `${path}: ${detail}`, {
    field: problem.field,
    expected: problem.expected,
    ...(seconds > 0 && { retryAfterSeconds: seconds }),
  });
}
