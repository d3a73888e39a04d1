/** Calls of JSON to the service, with its problems as errors. */
import { isErrorCode, SedimentError } from "../../errors.ts";
import { plainValue } from "../plain_text.ts";
import type { Credential } from "../session/session.ts";
import type { Project } from "./open.ts";

/** {@link callJson} by GET. */
export function getJson(
  project: Project,
  path: string,
  query: Record<string, string | undefined> = {},
): Promise<Record<string, unknown>> {
  return callJson(project, "GET", path, query);
}

/**
 * Asks a function for JSON.
 *
 * @param body sent as JSON; absent: none
 *
 * @throws `not_signed_in`, `server_unreachable`, the problem's own code
 */
export async function callJson(
  project: Project,
  method: "GET" | "DELETE" | "POST",
  path: string,
  query: Record<string, string | undefined>,
  body?: object,
): Promise<Record<string, unknown>> {
  const credential = await project.session.credential();
  if (credential === null) {
    throw new SedimentError("not_signed_in", `there is no session at ${project.url}`, {
      expected: "a `sediment login` before, or SEDIMENT_TOKEN",
    });
  }
  const url = new URL(`${project.url}/functions/v1/${path}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  let response = await ask(project, method, url, credential, body);
  if (response.status === 401) {
    const renewed = await project.session.renewed?.(credential) ?? null;
    if (renewed !== null) {
      await response.body?.cancel();
      response = await ask(project, method, url, renewed, body);
    }
  }
  const answer = plainValue(await response.json().catch(() => null));
  if (response.ok && answer !== null) return answer;
  const detail = answer?.detail ?? `HTTP ${response.status}`;
  const code = isErrorCode(answer?.code) ? answer.code : "unexpected_answer";
  throw new SedimentError(code, `${path}: ${detail}`, {
    field: answer?.field,
    expected: answer?.expected,
  });
}

async function ask(
  project: Project,
  method: string,
  url: URL,
  credential: Credential,
  body?: object,
): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      headers: {
        ...(project.key !== undefined && { apikey: project.key }),
        ...credential.headers ?? { authorization: `Bearer ${credential.token}` },
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(60_000),
    });
  } catch (error) {
    throw new SedimentError("server_unreachable", `${project.url}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** One data file of a manifest. */
export interface DataFile {
  id: number | string;
  table: string;
  period_tag: string;
  size: number;
  level: number;
  state: string;
  row_count: number;
  row_group_count: number;
  uploaded_at: string;
  /** Where it can be read; none when the service can't read it itself. */
  url?: string;
  url_expires_at?: string;
  /** Of its bytes, where the service knows it. */
  sha256?: string;
  /** Why it can't be read. */
  error?: { code: string; message: string };
}

/** All files of a version, page by page; the first page's version is kept for the others. */
export async function listFiles(
  project: Project,
  query: Record<string, string | undefined>,
): Promise<{ version: number; files: DataFile[] }> {
  const files: DataFile[] = [];
  let cursor: string | undefined;
  let version = 0;
  do {
    const page = await getJson(project, "battle-data/chunks", { ...query, limit: "1000", cursor });
    version = Number(page.version);
    files.push(...page.files as DataFile[]);
    cursor = typeof page.next_cursor === "string" ? page.next_cursor : undefined;
  } while (cursor !== undefined);
  return { version, files };
}
