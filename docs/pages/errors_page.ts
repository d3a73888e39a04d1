/** docs/errors.md, made of shared/errors.ts. */
import { failureClass } from "../../shared/compaction/run/failure_class.ts";
import { type ErrorCode, errorKinds } from "../../shared/errors.ts";
import { code, table } from "./markdown.ts";

const source = new URL("../../shared/errors.ts", import.meta.url);

const intro = `# Errors

Made by \`deno task docs\` from \`shared/errors.ts\`: change it there.

The service answers a failure with RFC 9457 \`application/problem+json\`:

\`\`\`json
{"type": "…", "title": "The table offsets do not fit the body", "status": 422, "code": "invalid_offsets",
 "detail": "The slice ends at byte 2048", "field": "table_offsets[1].byte_length",
 "expected": "an end within the body's 2000 bytes", "request_id": "…"}
\`\`\`

Branch on \`code\`: it is never renamed. \`detail\` is for people, \`field\` and \`expected\` say what to change,
\`request_id\` finds the request in the logs. SQL functions raise the same codes (SQLSTATE \`SD\` and the status).

**Again**: whether the same call may succeed later without a change by the caller; \`Retry-After\` says when, where it is
known. **In a run** says whose fault a failure is when a merge meets it: *data* sets the one file aside, *environment*
gives the attempt back and waits, *worker* is seen by a lease that ran out; all others are our own, and cost the run an
attempt.`;

/** Text of the page. */
export async function errorsPage(): Promise<string> {
  const sections = sectionsOf(await Deno.readTextFile(source));
  return [
    intro,
    ...sections.map(({ title, codes }) =>
      `## ${title}\n${
        table(
          ["code", "status", "meaning", "again", "in a run"],
          codes.map((word) => {
            const { status, title, ...more } = errorKinds[word];
            const again = "retryable" in more ? "yes" : "";
            const fault = failureClass({ code: word });
            return [code(word), String(status), title, again, fault === "work" ? "" : fault];
          }),
        )
      }`
    ),
  ].join("\n\n") + "\n";
}

/** The codes below each `// …` line of the table, in its order. */
function sectionsOf(text: string): { title: string; codes: ErrorCode[] }[] {
  const start = text.indexOf("export const errorKinds = {");
  const body = text.slice(start, text.indexOf("\n} as const", start));
  const sections: { title: string; codes: ErrorCode[] }[] = [];
  for (const line of body.split("\n").slice(1)) {
    const heading = /^ {2}\/\/ (.+)$/.exec(line)?.[1];
    const word = /^ {2}(\w+): \{/.exec(line)?.[1];
    if (heading !== undefined) {
      sections.push({ title: heading[0]!.toUpperCase() + heading.slice(1), codes: [] });
    }
    if (word !== undefined) sections.at(-1)!.codes.push(word as ErrorCode);
  }
  const found = sections.flatMap(({ codes }) => codes);
  const known = Object.keys(errorKinds);
  if (found.join() !== known.join()) throw new Error("errors.ts is written in another way");
  return sections;
}
