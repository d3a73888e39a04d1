/** The embedded Supabase: all parts, started in order, stopped in the other order. */
import { join } from "node:path";
import type { JSONWebKeySet } from "jose";
import postgres from "postgres";
import { authSchemaSql, createAuth } from "./auth.ts";
import { loadFunctions, notServed } from "./functions_host.ts";
import { createGateway } from "./gateway/gateway.ts";
import { listen } from "./gateway/listen.ts";
import { createTokens } from "./gateway/tokens.ts";
import { checkHistory } from "./history/check_history.ts";
import { applyMigrations, beginPush, repositoryMigrations } from "./migrate.ts";
import { cacheFolder } from "./parts/cache_folder.ts";
import { swallowDriverWrites } from "./parts/driver_errors.ts";
import { demandPlatform } from "./parts/platform.ts";
import { isNewDatabase, startDatabase } from "./postgres/database.ts";
import { startRest } from "./rest.ts";
import { startStandIns } from "./stand_ins.ts";
import { loadKeys } from "./state/keys.ts";
import { lockState } from "./state/lock.ts";
import { reapOrphans } from "./state/orphans.ts";
import { openStateFolder } from "./state/folder.ts";
import { startWatchdog } from "./parts/watchdog.ts";
import type { S3Settings } from "./storage/s3/s3_caller.ts";
import { mountStorage, s3SettingsOf } from "./storage_host.ts";
import { openStorageProxy, type RealStorage, realStorageOf } from "./storage_proxy.ts";
import { seedVault } from "./vault_secrets.ts";

/** How the functions may reach the catalog. */
export const catalogWays = ["postgres", "postgrest"] as const;
export type CatalogWay = typeof catalogWays[number];

export interface StackOptions {
  /** Where everything is kept. @default a temporary folder, removed at stop() */
  stateDir?: string;
  /** Port of the gateway; 0: any free one. @default 0 */
  port?: number;
  /** Preferred port of PostgreSQL, taken when it is free. @default any free one */
  dbPort?: number;
  /** Empties the state folder first. @default false */
  reset?: boolean;
  /** Serves functions/main.ts in this process. @default true */
  functions?: boolean;
  /** Runs the pg_cron and pg_net stand-ins. @default true */
  cron?: boolean;
  /** Applies migrations. @default true */
  migrations?: boolean;
  /** Folder of the migrations. @default supabase/migrations */
  migrationsDir?: string;
  /**
   * How the functions reach the catalog: over a connection to PostgreSQL, or through PostgREST, which is what hosted
   * functions do where SEDIMENT_DATABASE_URL is not set. @default postgres
   */
  catalog?: CatalogWay;
  /**
   * A real Storage API in place of the stand-in.
   * @default what SEDIMENT_LOCAL_STORAGE_URL and SEDIMENT_LOCAL_STORAGE_JWT_SECRET name, if they are set
   */
  storage?: RealStorage;
  /** Added to the environment of the functions. */
  env?: Record<string, string>;
  /** Seconds between runs of the job sediment_tick, in place of its own schedule; may be a fraction. */
  tickSeconds?: number;
  /** The same for any job, by name. */
  cronSeconds?: Record<string, number>;
  /** Says nothing on stderr. @default true */
  quiet?: boolean;
}

export interface Stack extends AsyncDisposable {
  url: string;
  port: number;
  stateDir: string;
  /** `sb_publishable_…`, role anon. */
  publishableKey: string;
  /** `sb_secret_…` named `default`, role service_role. */
  secretKey: string;
  /** `sb_secret_…` named `cron`. */
  cronKey: string;
  /** Role postgres, no superuser, as hosted. */
  dbUrl: string;
  /** Superuser supabase_admin. */
  adminDbUrl: string;
  jwks: JSONWebKeySet;
  /** The stand-in's S3 endpoint is `url` + `/storage/v1/s3`; null where a real Storage has keys of its own. */
  s3: S3Settings | null;
  /** What the functions got as their environment. */
  functionsEnv: Record<string, string>;
  /** The processes beside this one, by name; tests kill them. */
  pids: Record<string, number>;
  /** Versions of the migrations that this start applied. */
  migrated: string[];
  /** Milliseconds since the start at which each part was ready. */
  timings: Record<string, number>;
  /** Resolves with a sentence when a part has ended that should not have. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts the embedded Supabase.
 *
 * @throws port_taken | state_in_use | state_outdated | part_missing | part_failed, each with what to do; nothing is
 * left behind
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const begun = performance.now();
  const timings: Record<string, number> = {};
  const mark = (part: string) => timings[part] = Math.round(performance.now() - begun);
  const say = (text: string) => options.quiet === false && console.error(text);
  demandPlatform();
  await using stack = new AsyncDisposableStack();
  stack.use(swallowDriverWrites());

  const folder = await openStateFolder(options.stateDir);
  stack.defer(() => folder.close());
  const stateDir = folder.path;
  const lock = await lockState(stateDir);
  stack.defer(() => lock.release());
  const front = stack.use(listen(options.port ?? 0));
  await lock.describe(`process ${Deno.pid}, ${front.url}`);
  const reaped = await reapOrphans(stateDir);
  if (reaped.length) say(`ended what a killed stack had left: ${reaped.join(", ")}`);
  if (options.reset) await folder.empty();

  const preload = authSchemaSql(); // importing @supabase/lite takes longest: begin now
  preload.catch(() => {});
  const watchdog = startWatchdog(stateDir, folder.temporary);
  stack.defer(() => watchdog.close());
  const keys = await loadKeys(stateDir);
  const tokens = await createTokens(
    keys.signing,
    keys.internalSecret,
    `${front.url}/auth/v1`,
  );

  const cacheDir = await cacheFolder(stateDir);
  const migrationsDir = options.migrations === false
    ? undefined
    : options.migrationsDir ?? repositoryMigrations;
  // A stack that lives for a test need not push the same migrations again and again.
  const fromTemplate = options.stateDir === undefined;
  const early = !fromTemplate && migrationsDir && await isNewDatabase(stateDir)
    ? await beginPush({ migrationsDir, stateDir, password: keys.passwords.postgres })
    : undefined;
  stack.defer(() => early?.close());
  const database = await startDatabase({
    stateDir,
    cacheDir,
    keys,
    watchdog,
    preferredPort: options.dbPort,
    migrationsDir: fromTemplate ? migrationsDir : undefined,
  });
  stack.defer(() => database.server.stop());
  early?.open(database.server.port);
  mark("postgres");
  const sql = postgres(database.url("supabase_admin"), {
    max: 4,
    idle_timeout: 20,
    onnotice: () => {},
  });
  stack.defer(() => sql.end({ timeout: 2 }));

  const realStorage = options.storage ?? realStorageOf(Deno.env);
  const functionsEnv: Record<string, string> = {
    SUPABASE_URL: front.url,
    SUPABASE_DB_URL: database.url("postgres"),
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishable }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secret, cron: keys.cron }),
    SUPABASE_JWKS: JSON.stringify(tokens.jwks),
    PUBLIC_URL: front.url,
    // The terminal is for people; what they ask for comes with options.env.
    SEDIMENT_LOG_LEVEL: "error",
    ...(options.catalog === "postgrest" ? {} : {
      SEDIMENT_DATABASE_URL: `${database.url("postgres")}?role=service_role&statement_timeout=8000`,
    }),
    ...(realStorage === undefined && options.env?.SEDIMENT_STORE !== "s3"
      ? lakeAccess(s3SettingsOf(keys))
      : {}),
    ...options.env,
  };
  // The CLI takes a second of another core, PostgREST waits for what it makes; the rest loads meanwhile.
  const migrate = async () => {
    const databaseUrl = database.url("postgres");
    const applied = [...database.migrated, ...await early?.done ?? []];
    if (migrationsDir) {
      if (await checkHistory(sql, migrationsDir)) {
        say("the state folder was made before the history of migrations began anew: adopted");
      }
      applied.push(...await applyMigrations({ migrationsDir, stateDir, databaseUrl, sql }));
    }
    mark("migrations");
    return applied;
  };
  const migrateAndServe = async () => {
    const migrated = await migrate();
    const rest = await startRest({
      stateDir,
      cacheDir,
      databaseUrl: database.url("authenticator"),
      jwtSecret: keys.internalSecret,
      watchdog,
    });
    stack.defer(() => rest.stop());
    mark("postgrest");
    return { migrated, rest };
  };
  const serveStorage = async () => {
    if (realStorage !== undefined) {
      return await openStorageProxy({ ...realStorage, keys, issuer: `${front.url}/auth/v1` });
    }
    const storage = await mountStorage({
      root: join(stateDir, "storage"),
      databaseUrl: database.url("supabase_storage_admin"),
      keys,
      tokens,
      url: front.url,
    });
    stack.defer(() => storage.close());
    return storage;
  };
  const [storage, { migrated, rest }, auth, functions] = await settleAll([
    // First: when it refuses a folder of an older version, that is what is to be said.
    serveStorage(),
    migrateAndServe(),
    createAuth({
      databaseUrl: database.url("supabase_auth_admin"),
      url: front.url,
      sql,
      keys,
      tokens,
    }),
    options.functions === false
      ? notServed("started without functions")
      : loadFunctions(functionsEnv),
    seedVault(sql, {
      sediment_functions_url: `${front.url}/functions/v1`,
      sediment_cron_key: keys.cron,
    }),
  ]);
  stack.defer(() => auth.close?.());
  stack.defer(() => functions.close?.());
  mark("services");
  front.serve(createGateway({
    keys,
    tokens,
    services: { restUrl: rest.url, auth, storage, functions },
  }));

  if (options.cron !== false) {
    const everySeconds = { ...options.cronSeconds };
    if (options.tickSeconds !== undefined) everySeconds.sediment_tick = options.tickSeconds;
    const standIns = await startStandIns(database.url("supabase_admin"), everySeconds);
    stack.defer(() => standIns.stop());
  }
  mark("ready");

  const failed = Promise.race([database.server, rest].map(async (child) => {
    const { wanted, status } = await child.done;
    // Ended by us: there is nothing to say, ever.
    if (wanted) await new Promise(() => {});
    return `${child.name} ended unexpectedly (${status.signal ?? `exit code ${status.code}`}).`;
  }));
  const running = stack.move();
  let stopping: Promise<void> | undefined;
  const stop = () => stopping ??= running.disposeAsync();
  return {
    url: front.url,
    port: front.port,
    stateDir,
    publishableKey: keys.publishable,
    secretKey: keys.secret,
    cronKey: keys.cron,
    dbUrl: database.url("postgres"),
    adminDbUrl: database.url("supabase_admin"),
    jwks: tokens.jwks,
    s3: realStorage === undefined ? s3SettingsOf(keys) : null,
    functionsEnv,
    pids: { postgres: database.server.pid, postgrest: rest.pid, watchdog: watchdog.pid },
    migrated,
    timings,
    failed,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** What the functions give to engines that read the lake: the stand-in's key can only read. */
function lakeAccess(s3: S3Settings): Record<string, string> {
  return {
    SEDIMENT_LAKE_S3_ACCESS_KEY_ID: s3.accessKeyId,
    SEDIMENT_LAKE_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    SEDIMENT_LAKE_S3_REGION: s3.region,
    SEDIMENT_LAKE_PROJECT_REF: s3.projectRef,
  };
}

/** As Promise.all, but waits for all before it throws: what one still starts must be there to be stopped. */
async function settleAll<T extends readonly unknown[]>(work: [...T]) {
  await Promise.allSettled(work);
  return await Promise.all(work);
}
