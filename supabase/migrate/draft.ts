/** Words the difference between two databases as migrations, for a person to review. */
import type { Action } from "@supabase/pg-delta";
import type { Difference } from "./compare.ts";

/** How a draft begins that nobody has reviewed. */
export const unreviewed = "-- REVIEW:";

/** One file of supabase/migrations. */
export interface Draft {
  name: string;
  text: string;
}

/**
 * The files that bring a database from the one state to the other: one transaction, then each index of a table that
 * is there already in a file of its own, since `create index concurrently` stands alone and nothing else lets
 * uploads go on meanwhile. A push that was cut off leaves an invalid index, which the next push passes over
 * (`if not exists`) and the doctor names with the line that builds it anew.
 *
 * @param name of the migration, words joined by `_`
 * @returns none when there is nothing to do that can be worded
 */
export function draftMigrations(name: string, { actions, facts }: Difference): Draft[] {
  const made = new Set(
    actions.flatMap(({ produces }) => produces)
      .flatMap((id) => id.kind === "table" ? [`${id.schema}.${id.name}`] : []),
  );
  const newQueues = facts.filter(({ kind, is }) => kind === "queue" && is === undefined)
    .map(({ name }) => name);
  const statements = newQueues.map((queue) => `select pgmq.create(${literal(queue)});`);
  const indexes: Draft[] = [];
  for (const action of actions) {
    const [, unique = "", index, table, rest] =
      /^CREATE (UNIQUE )?INDEX (\S+) ON (\S+) ([\s\S]*)$/.exec(action.sql) ?? [];
    if (isOwnedByApplier(action) || newQueues.some((queue) => isOfQueue(action, queue))) continue;
    if (index && !made.has(table)) {
      indexes.push({
        name: `index_${index}`,
        text:
          "-- An index of a table that is in use: alone in its file, since no transaction allows it.\n" +
          `CREATE ${unique}INDEX CONCURRENTLY IF NOT EXISTS ${index} ON ${table} ${ended(rest)}\n`,
      });
    } else statements.push(ended(action.sql.trim()), ...revokeDefaults(action));
  }
  for (const fact of facts) statements.push(...wordFact(fact));
  const drafts: Draft[] = [];
  if (statements.length > 0) {
    drafts.push({
      name,
      text: [
        `${unreviewed} say here what it brings, and what an operator should know of it.`,
        "set local lock_timeout = '5s';",
        // what a function calls may come after it
        ...(statements.some((text) => /^CREATE .*(FUNCTION|PROCEDURE) /.test(text))
          ? ["set local check_function_bodies = off;"]
          : []),
        "",
        statements.join("\n\n"),
        "",
      ].join("\n"),
    });
  }
  return [...drafts, ...indexes];
}

/**
 * What a release of functions may trip over, what costs data or a long lock, and what passes on the empty database on
 * which a draft is tried and fails where there are rows.
 */
export function warnings({ actions }: Pick<Difference, "actions">): string[] {
  const columns = (what: RegExp) =>
    actions.flatMap(({ sql }) => {
      const [, table, column] = what.exec(sql) ?? [];
      return column === undefined ? [] : [{ table, column }];
    });
  const dropped = columns(/^ALTER TABLE (\S+) DROP COLUMN (\S+?);?$/);
  const added = columns(/^ALTER TABLE (\S+) ADD COLUMN (\S+) /);
  const renamed = dropped.flatMap(({ table, column }) =>
    added.filter((other) => other.table === table).map((other) =>
      `if it has a new name only: ALTER TABLE ${table} RENAME COLUMN ${column} TO ${other.column};`
    )
  );
  return [
    ...actions.flatMap(({ sql, verb, dataLoss, rewriteRisk }) => {
      const line = sql.split("\n", 1)[0];
      if (dataLoss === "destructive") return [`loses data: ${line}`];
      if (/ ADD COLUMN .* NOT NULL/.test(line) && !/ DEFAULT | GENERATED /.test(line)) {
        return [`fails where the table has rows: ${line}`];
      }
      if (/ ALTER COLUMN \S+ SET NOT NULL/.test(line)) {
        return [`fails where a row has null: ${line}`];
      }
      if (rewriteRisk && verb === "alter") {
        return [`may rewrite a table under its lock: ${line}`];
      }
      if (verb === "drop" && /^DROP \S+ "public"\./.test(line)) {
        return [`the functions of the last release may still call it: ${line}`];
      }
      return [];
    }),
    ...renamed,
  ];
}

/** What pg-delta does not know, in the extensions' own functions; other facts are left for a person. */
function wordFact({ kind, name, should }: Difference["facts"][number]): string[] {
  const quoted = literal(name);
  switch (kind) {
    case "job": {
      if (should === undefined) return [`select cron.unschedule(${quoted});`];
      // username, active, schedule of five fields or seconds, command: as facts.sql joins them
      const fields = /^\S+ \S+ ((?:\S+ seconds?|(?:\S+ ){4}\S+)) ([\s\S]*)$/.exec(should);
      if (!fields) return [];
      return [`select cron.schedule(${quoted}, ${literal(fields[1])}, ${literal(fields[2])});`];
    }
    case "queue":
      return should === undefined ? [`select pgmq.drop_queue(${quoted});`] : [];
    default:
      return [];
  }
}

/** Migrations run as the role that owns the catalog: what they make is its own. */
const isOwnedByApplier = ({ sql }: Action) => /^ALTER .* OWNER TO "postgres"$/.test(sql.trim());

/** What pgmq.create makes by itself; who may use it, and row security, are ours to say. */
const isOfQueue = ({ sql }: Action, queue: string) =>
  new RegExp(`\\b([qa]_|archived_at_idx_)${queue}\\b|\\bq_${queue}_`).test(sql) &&
  !/ENABLE ROW LEVEL SECURITY|TO "service_role"/.test(sql);

/**
 * Older hosted projects grant whatever is new in schema public to everybody (`alter default privileges`), which the
 * embedded stack, as a new project, does not: the difference can't show it.
 */
function revokeDefaults({ verb, produces, sql }: Action): string[] {
  if (verb !== "create") return [];
  return produces.flatMap((id) => {
    if (id.kind !== "table" && id.kind !== "view" && id.kind !== "function") return [];
    if (id.schema !== "public" && id.schema !== "sediment") return [];
    const name = `"${id.schema}"."${id.name}"`;
    const what = id.kind === "function" ? `function ${name}(${id.args.join(", ")})` : name;
    // A sequence of its own, which the default privileges grant as well.
    const identities = id.kind === "table"
      ? [...sql.matchAll(/"(\w+)" \w+ GENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY/g)]
        .map(([, column]) => `sequence "${id.schema}"."${id.name}_${column}_seq"`)
      : [];
    return [what, ...identities].map((each) =>
      `revoke all on ${each} from public, anon, authenticated, service_role;`
    );
  });
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

const ended = (sql: string) => sql.endsWith(";") ? sql : `${sql};`;
