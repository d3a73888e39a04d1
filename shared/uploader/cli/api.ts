/** Calls of JSON to the service, with its problems as errors. */
import * as z from "zod/mini";
import { isErrorCode, SedimentError } from "../../errors.ts";
import { plainValue } from "../plain_text.ts";
import type { Credential } from "../session/session.ts";
import { type DataFile, filePage } from "./answers.ts";
import type { Project } from "./open.ts";

/** {@link callJson} by GET. */
export function getJson<T>(
  project: Project,
  path: string,
  shape: z.ZodMiniType<T>,
  query: Record<string, string | undefined> = {},
): Promise<T> {
  return callJson(project, "GET", path, shape, { query });
}

/**
 * Asks a function for JSON.
 *
 * @param shape what the answer is to be
 * @param asked `query` of the URL; `body` is sent as JSON, absent: none
 * @throws `not_signed_in`, `server_unreachable`, the problem's own code, `unexpected_answer` for what is not of the shape
 */
export async function callJson<T>(
  project: Project,
  method: "GET" | "DELETE" | "POST",
  path: string,
  shape: z.ZodMiniType<T>,
  { query = {}, body }: { query?: Record<string, string | undefined>; body?: object } = {},
): Promise<T> {
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
  const answer: unknown = await response.json().then(plainValue).catch(() => null);
  if (!response.ok) throw problemOf(answer, path, response.status);
  const { success, error } = z.safeParse(shape, answer);
  // whole: the parsed one is without what the shape does not name
  if (success) return answer as T;
  const place = error.issues[0]!.path.join(".");
  throw new SedimentError(
    "unexpected_answer",
    `${path}: ${place ? `${place} is not what it is to be` : "no answer of the service's"}`,
  );
}

function problemOf(answer: unknown, path: string, status: number): SedimentError {
  const { code, detail, field, expected } = (answer ?? {}) as Record<string, unknown>;
  const texts = (value: unknown) => typeof value === "string" ? value : undefined;
  return new SedimentError(
    isErrorCode(code) ? code : "unexpected_answer",
    `${path}: ${texts(detail) ?? `HTTP ${status}`}`,
    { field: texts(field), expected: texts(expected) },
  );
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

/** All files of a version, page by page; the first page's version is kept for the others. */
export async function listFiles(
  project: Project,
  query: Record<string, string | undefined>,
): Promise<{ version: number; files: DataFile[] }> {
  const files: DataFile[] = [];
  let cursor: string | undefined;
  do {
    const asked = { ...query, limit: "1000", cursor };
    const { version, files: some, next_cursor } = await getJson(
      project,
      "battle-data/chunks",
      filePage,
      asked,
    );
    for (const file of some) files.push(file);
    if (!next_cursor) return { version, files };
    if (next_cursor === cursor) {
      throw new SedimentError("unexpected_answer", "battle-data/chunks: a page follows itself");
    }
    cursor = next_cursor;
  } while (true);
}
