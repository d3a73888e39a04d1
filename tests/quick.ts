/**
 * `deno task test:quick`: what needs no stack, no server of its own and no long look, without types (`deno task check`
 * has them): under a minute on two cores. More arguments go to `deno test`.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { long, servers } from "./left_out.ts";

const tests = fileURLToPath(new URL(".", import.meta.url));
const left = [...servers, ...long].map((path) => `${tests}${path}`);
const gone = left.filter((path) => !existsSync(path));
if (gone.length > 0) {
  console.error(`tests/left_out.ts names what isn't there: ${gone.join(", ")}`);
  Deno.exit(1);
}
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    "test",
    "-A",
    "--no-check",
    "--quiet",
    "--parallel",
    `--ignore=${left.join()}`,
    ...Deno.args,
    tests,
  ],
  stdout: "inherit",
  stderr: "inherit",
}).output();
Deno.exit(code);
