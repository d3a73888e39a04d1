/** Whether a problem that a route answers is one that openapi.json says it may answer. */
import { strict as assert } from "node:assert";
import openapi from "../../functions/openapi/openapi.json" with { type: "json" };

interface Operation {
  responses: Record<string, { description?: string }>;
}

const routes = Object.entries(openapi.paths as Record<string, Record<string, Operation>>)
  .map(([path, operations]) => ({
    path: new RegExp(`^/functions/v1${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    operations,
  }));

/**
 * Throws when an answer's problem is not in the document. Faults of ours (5xx) may be anywhere, and what has no
 * route has no description.
 */
export function assertDocumented(
  method: string,
  url: string,
  status: number,
  problem: { code?: unknown; detail?: unknown },
): void {
  const { pathname } = new URL(url);
  const route = routes.find(({ path }) => path.test(pathname));
  const operation = route?.operations[method.toLowerCase()];
  if (operation === undefined || status >= 500) return;
  const said = operation.responses[status]?.description ?? "";
  assert.ok(
    said.includes(`\`${problem.code}\``),
    `openapi.json has no ${status} ${problem.code} of ${method} ${pathname}: ${problem.detail}`,
  );
}
