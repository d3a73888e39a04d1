/** The deployed functions: whether each starts, which build it is, and what they have for an environment. */
import { buildHeader } from "../../shared/build.ts";
import { type DeploymentAnswer, deploymentSchema } from "../../shared/protocol/deployment.ts";
import { type Item, ok, unknown, wrong } from "./item.ts";
import { type Answer, ask, functionsOf, said, type Target } from "./target.ts";

const deploy = "npx -y deno@2.9.6 task deploy --project-ref REF";

/** One function as it answered. */
export interface SeenFunction {
  name: string;
  /** Its build; null when what answered was not the function. */
  build: string | null;
  answer: Answer;
}

/** Calls each function at a path that it has not got, which costs nothing and needs no key. */
export async function seeFunctions(target: Target, names: string[]): Promise<SeenFunction[]> {
  return await Promise.all(names.map(async (name) => {
    const answer = await ask(target, `${functionsOf(target)}/${name}/doctor`, { key: null });
    return { name, build: answer.headers.get(buildHeader), answer };
  }));
}

/** Whether each function is there and starts. */
export function judgeFunctions(seen: SeenFunction[]): Item {
  const away = seen.filter(({ build }) => build === null);
  if (away.length === 0) return ok("functions", `${seen.length} functions answer`);
  const failing = away.filter(({ answer }) => /BOOT_ERROR/.test(answer.text));
  if (failing.length > 0) {
    return wrong(
      "functions",
      `${namesOf(failing)}: BOOT_ERROR, it does not start`,
      "Edge Functions → Logs tell the variable that is wrong (misconfigured); " +
        "npx -y supabase@2.117.0 secrets set NAME=VALUE",
    );
  }
  return wrong(
    "functions",
    `${namesOf(away)} did not answer as ours: ${said(away[0].answer)}`,
    deploy,
  );
}

/** @param checkout the digest of this checkout's sources */
export function judgeBuilds(seen: SeenFunction[], checkout: string): Item {
  const builds = new Set(seen.map(({ build }) => build));
  if (builds.has(null)) return unknown("versions", "not every function answers", deploy);
  if (builds.size > 1) {
    const list = seen.map(({ name, build }) => `${name} ${build}`).join(", ");
    return wrong("versions", `the functions are of ${builds.size} builds: ${list}`, deploy);
  }
  const [build] = builds;
  if (build === "source") {
    return unknown("versions", "the functions run unbundled, so their version isn't told");
  }
  return build === checkout
    ? ok("versions", `all are of this checkout (${build})`)
    : wrong("versions", `all are build ${build}, this checkout is ${checkout}`, deploy);
}

/** What the functions tell of their deployment, or the item that says why they don't. */
export async function readDeployment(
  target: Target,
): Promise<{ deployment: DeploymentAnswer; at: number } | Item> {
  const answer = await ask(target, `${functionsOf(target)}/compaction/deployment`);
  const read = deploymentSchema.safeParse(answer.json);
  if (answer.status === 200 && read.success) return { deployment: read.data, at: answer.at };
  if (answer.status === 401 || answer.status === 403) {
    return wrong(
      "variables",
      `the functions refuse the key that the project takes: ${said(answer)}`,
      "set SUPABASE_SECRET_KEYS of the functions to the project's; hosted, deploy them again",
    );
  }
  return unknown("variables", `the functions did not tell: ${said(answer)}`, deploy);
}

/** The functions' variables. */
export function judgeVariables(deployment: DeploymentAnswer, target: Target): Item {
  const value = (name: string) =>
    deployment.variables.find((variable) => variable.name === name)?.value;
  const project = value("SUPABASE_URL")!;
  const elsewhere = isHosted(project) && isHosted(target.url) && project !== target.url;
  if (elsewhere) {
    return wrong(
      "variables",
      `the functions' SUPABASE_URL is ${project}, not ${target.url}`,
      `SUPABASE_URL=${target.url}`,
    );
  }
  if (deployment.publishable_key_names.length === 0) {
    return wrong(
      "variables",
      "the functions know no publishable key",
      'SUPABASE_PUBLISHABLE_KEYS=\'{"default":"sb_publishable_…"}\'',
    );
  }
  const { variables, secret_key_names: keys } = deployment;
  return ok("variables", `${variables.length} are set, secret keys: ${keys.join(", ")}`);
}

function isHosted(url: string): boolean {
  return new URL(url).hostname.endsWith(".supabase.co");
}

function namesOf(seen: SeenFunction[]): string {
  return seen.map(({ name }) => name).join(", ");
}
