/** The whole look at a deployment, in the order in which one fault explains the next. */
import {
  askRows,
  checkSigningKeys,
  checkWasm,
  judgeBucket,
  judgeClocks,
  judgeKey,
  judgeRows,
} from "./api.ts";
import {
  askSchemaVersion,
  checkVault,
  judgeExtensions,
  judgeIndexes,
  judgeJobs,
  judgeSchema,
  readFindings,
} from "./database.ts";
import {
  judgeBuilds,
  judgeFunctions,
  judgeVariables,
  readDeployment,
  seeFunctions,
} from "./functions.ts";
import { type Item, unknown } from "./item.ts";
import type { Target } from "./target.ts";
import { checkUpload } from "./upload.ts";

/** What this checkout would deploy. */
export interface Expected {
  functions: string[];
  build: string;
  /** Versions of the migrations, in order. */
  migrations: string[];
  /** Name and schedule of the cron jobs. */
  jobs: Map<string, string>;
}

/** Looks at everything; each thing is one item, whatever fails. */
export async function checkup(target: Target, expected: Expected): Promise<Item[]> {
  const rows = await askRows(target);
  const key = judgeKey(target, rows);
  if (key.state === "wrong") {
    const rest = [
      ...[
        "schema",
        "extensions",
        "indexes",
        "cron",
        "vault",
        "max_rows",
        "bucket",
        "functions",
        "versions",
      ],
      ...["variables", "jwks", "wasm", "clocks", "upload", "urls", "deletion"],
    ];
    return [key, ...rest.map((name) => unknown(name, "the key opens nothing"))];
  }
  const findingsAt = Date.now();
  const [findings, seen, told] = await Promise.all([
    readFindings(target),
    seeFunctions(target, expected.functions),
    readDeployment(target),
  ]);
  const deployment = "state" in told ? null : told.deployment;
  const items = [key];
  if ("state" in findings) {
    const unseen = ["extensions", "indexes", "cron", "vault"];
    items.push(findings, ...unseen.map((name) => unknown(name, "the database did not tell")));
    if (deployment !== null) items.push(unknown("bucket", "the database did not tell"));
  } else {
    items.push(
      judgeSchema(findings, expected.migrations, await askSchemaVersion(target)),
      judgeExtensions(findings),
      judgeIndexes(findings),
      judgeJobs(findings, expected.jobs),
      await checkVault(target, findings),
      judgeBucket(findings, deployment),
    );
  }
  items.push(
    judgeRows(rows),
    judgeFunctions(seen),
    judgeBuilds(seen, expected.build),
    deployment === null ? told as Item : judgeVariables(deployment, target),
    await checkSigningKeys(target, deployment),
    await checkWasm(target, deployment),
    judgeClocks([
      ...("state" in findings ? [] : [{ name: "database", time: findings.now, at: findingsAt }]),
      ...("state" in told ? [] : [{ name: "functions", time: told.deployment.now, at: told.at }]),
    ]),
    ...await checkUpload(target),
  );
  return items;
}
