/**
 * The one place that reads the environment. Names injected by Supabase keep its spelling; ours begin with
 * `SEDIMENT_` because hosted secrets may not begin with `SUPABASE_`.
 */
import * as z from "zod";
import { SedimentError } from "./errors.ts";

const MiB = 1024 * 1024;

const count = (fallback: number, expected: string) =>
  z.coerce.number(expected).int(expected).positive(expected).default(fallback);

/** A JSON object of strings, as SUPABASE_SECRET_KEYS is. */
const namedKeys = z.string().transform((text, context) => {
  try {
    return z.record(z.string(), z.string().min(1)).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: "custom", message: "a JSON object of name to key" });
    return z.NEVER;
  }
});

const jwkSet = z.string().transform((text, context) => {
  try {
    const parsed = JSON.parse(text);
    // An empty set is what a project without signing keys has: services work, users are told.
    const keys = z.array(z.looseObject({ kty: z.string() }));
    return { keys: keys.parse(Array.isArray(parsed) ? parsed : parsed.keys) };
  } catch {
    context.addIssue({ code: "custom", message: "a JSON Web Key Set" });
    return z.NEVER;
  }
});

const flag = z.enum(["0", "1", "true", "false"]).transform((word) =>
  word === "1" || word === "true"
);

const nameList = z.string().transform((text) =>
  text.split(",").map((name) => name.trim()).filter((name) => name !== "")
);

const httpUrl = z.url({ protocol: /^https?$/, error: "an http or https URL" });

/** Every variable that Sediment reads, with its default and its meaning. */
export const envSchema = z.object({
  /** Where PostgREST, Auth and Storage are reached from inside. Never shown to clients. */
  SUPABASE_URL: httpUrl.transform((url) => url.replace(/\/+$/, "")),
  /** Publishable keys by name, a JSON object; hosted projects set it. */
  SUPABASE_PUBLISHABLE_KEYS: namedKeys.optional(),
  /** The one publishable key, where there are no names. */
  SUPABASE_PUBLISHABLE_KEY: z.string().min(1).optional(),
  /** Secret keys by name, a JSON object; hosted projects set it. Sediment works with `default`, else with the first. */
  SUPABASE_SECRET_KEYS: namedKeys.optional(),
  /** The one secret key, where there are no names. */
  SUPABASE_SECRET_KEY: z.string().min(1).optional(),
  /** Inline key set; without it the keys are fetched from Auth's well-known address. */
  SUPABASE_JWKS: jwkSet.optional(),
  /** Where the key set is fetched from, when that is not Auth's well-known address. */
  SUPABASE_JWKS_URL: httpUrl.optional(),
  /**
   * Further issuers of users' tokens, separated by commas, where Auth calls itself by another name than
   * SUPABASE_URL/auth/v1: a custom domain's. Of a SUPABASE_URL without TLS, which is a local stack's, any origin will do.
   */
  SEDIMENT_JWT_ISSUERS: nameList.optional(),
  /**
   * Names of the secret keys whose holders may read and act for users, separated by commas. The others, such as
   * cron's, open the routes of services and nothing of a user's. @default default
   */
  SEDIMENT_ACTING_KEYS: nameList.default(["default"]),
  /**
   * The catalog over a connection to PostgreSQL in place of PostgREST: an upload waits a third less. Of a role that
   * may call the functions. Each isolate connects, so hosted it is the pooler's URL; what that may hold, and that
   * Deno 2.1 does not encrypt it: shared/catalog/connect_catalog.ts.
   */
  SEDIMENT_DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "a postgresql URL" })
    .optional(),
  /** Where clients reach the functions, e.g. `https://ref.supabase.co` or `https://x.deno.dev/api`. */
  PUBLIC_URL: httpUrl.optional(),
  /** The project as clients see it; a self-hosted stack sets it. Functions and Storage are below it. */
  SUPABASE_PUBLIC_URL: httpUrl.optional(),
  /** Where clients reach Storage when that is not the project's URL, with or without `/storage/v1`. */
  SEDIMENT_STORAGE_PUBLIC_URL: httpUrl.optional(),
  /** Whether `X-Forwarded-*` is believed. Set it only behind a gateway that overwrites them. */
  SEDIMENT_TRUST_FORWARDED: flag.optional(),
  /** The private bucket that holds every object. */
  SEDIMENT_BUCKET: z.string().min(1).default("sediment"),
  /**
   * Key of the HMAC of upload and content URLs. Without it they are signed by a key derived from the secret key, and end
   * when that is rotated.
   */
  SEDIMENT_TOKEN_KEY: z.string().min(16, "16 characters or more").optional(),
  /** The key before it: URLs that it has signed are taken until they expire. */
  SEDIMENT_TOKEN_KEY_PREVIOUS: z.string().min(16, "16 characters or more").optional(),
  /**
   * Opens `GET /compaction/metrics` to a scraper, as its bearer token; a key of its own, no project key. Without it there
   * are no metrics.
   */
  SEDIMENT_METRICS_KEY: z.string().regex(/^\S{16,}$/, "16 characters or more, no spaces")
    .optional(),
  /**
   * An OpenTelemetry collector that gets a span of each request, as OTLP over HTTP at `/v1/traces`, once the request is
   * answered. Without it there are no traces.
   */
  SEDIMENT_OTLP_ENDPOINT: httpUrl.optional(),
  /** A header that the collector wants, `name=value`; several are separated by commas. It is taken for a secret. */
  SEDIMENT_OTLP_HEADERS_KEY: z.string().regex(/^[\w-]+=[^,]+(,[\w-]+=[^,]+)*$/, "name=value,…")
    .optional(),
  /** Life of an uploadUrl, seconds. */
  SEDIMENT_UPLOAD_TTL_SECONDS: count(120, "a number of seconds"),
  /** Time that a direct upload has until it is completed, seconds; hosted signed upload URLs live 2 hours. */
  SEDIMENT_DIRECT_TTL_SECONDS: count(7200, "a number of seconds"),
  /** Largest body that passes through a function, bytes. Larger files go by `direct=1`. */
  SEDIMENT_MAX_BODY_BYTES: count(8 * MiB, "a number of bytes"),
  /** Largest file that `direct=1` takes, bytes; hosted free plan and the CLI cap objects at 50 MiB. */
  SEDIMENT_MAX_DIRECT_BYTES: count(50 * MiB, "a number of bytes"),
  /** GET and HEAD requests of one user in a minute, counted by each isolate for itself. */
  SEDIMENT_READS_PER_MINUTE: count(3_000, "a number of requests"),
  /**
   * What the uploads of one user may take of a second of an isolate, ms, while other users are there too: what takes more
   * waits, and is refused where it would wait for 5 s. Small files take some 3 ms each, and 100 ms are free at once.
   */
  SEDIMENT_WORK_MS_PER_SECOND: count(100, "a number of milliseconds"),
  /** Longest silence of a body that is being read, milliseconds. */
  SEDIMENT_BODY_STALL_MS: count(10_000, "a number of milliseconds"),
  /** Longest time that a body may take as a whole, milliseconds. */
  SEDIMENT_BODY_DEADLINE_MS: count(60_000, "a number of milliseconds"),
  /** Soft deadline of a worker's turn, seconds: no new output is begun after it. */
  SEDIMENT_TURN_SECONDS: count(60, "a number of seconds"),
  /** CPU of the isolate that a turn may be expected to take, ms. Hosted isolates are killed at 2,000. */
  SEDIMENT_TURN_CPU_MS: count(1000, "a number of milliseconds"),
  /** Memory of the isolate that a merge may be expected to take, MB. Hosted isolates are killed at 256. */
  SEDIMENT_TURN_MEMORY_MB: count(200, "a number of megabytes"),
  /** Compressed input bytes that a turn may merge. */
  SEDIMENT_TURN_BYTES: count(64 * MiB, "a number of bytes"),
  /** How long a claim holds its partition, seconds; a worker that lives renews it. The setting of that name holds at commits. */
  SEDIMENT_LEASE_SECONDS: count(300, "a number of seconds"),
  // Of `POST /compaction/trigger-scheduled`. Absent ones, and those of the nightly job, which runs in the database, are
  // columns of service_settings of the same names.
  /** Datasets that one trigger takes, those whose debt is oldest first. */
  MAX_DATASETS_PER_RUN: z.coerce.number().int().positive("a number of datasets").optional(),
  /** Datasets that become due together. */
  SCHEDULE_CONCURRENCY: z.coerce.number().int().positive("a number of datasets").optional(),
  /** From those to the next ones, milliseconds; the queue knows whole seconds. */
  SCHEDULE_DELAY_MS: z.coerce.number().int().nonnegative("a number of milliseconds").optional(),
  /** `info`: a JSON line a stage, commit and step of a run, beside those of errors; `error`: only these. */
  SEDIMENT_LOG_LEVEL: z.enum(["info", "error"]).default("info"),
  /** `supabase` or `s3` (R2, S3, Supabase's S3 endpoint). */
  SEDIMENT_STORE: z.enum(["supabase", "s3"]).default("supabase"),
  /** The S3's address, with https. */
  SEDIMENT_S3_ENDPOINT: httpUrl.optional(),
  /** The region that requests are signed for; R2 takes `auto`. */
  SEDIMENT_S3_REGION: z.string().min(1).default("auto"),
  /** A key that may read, write, delete and list objects, and list and abort multipart uploads. */
  SEDIMENT_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  /** Its secret. */
  SEDIMENT_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /**
   * A key of the store that can only read, for engines that read the lake by a secret key of the project: the function `iceberg`
   * gives it to them, and on another store than Supabase's signs with it what users read. Without it the functions' own key signs
   * there, and on Supabase the engines need one of their own.
   */
  SEDIMENT_LAKE_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  /** Its secret. */
  SEDIMENT_LAKE_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /** Where engines reach the store's S3 protocol. @default Storage's own, or SEDIMENT_S3_ENDPOINT */
  SEDIMENT_LAKE_S3_ENDPOINT: httpUrl.optional(),
  /** The region that they sign for: on Supabase the project's. @default us-east-1 on Supabase, else SEDIMENT_S3_REGION */
  SEDIMENT_LAKE_S3_REGION: z.string().min(1).optional(),
  /** What a user's session signs its S3 requests with, where Storage wants another key than the publishable one. */
  SEDIMENT_LAKE_SESSION_KEY: z.string().min(1).optional(),
  /** The project's reference, where it isn't the first part of SUPABASE_URL's host. */
  SEDIMENT_LAKE_PROJECT_REF: z.string().min(1).optional(),
  /** Whether the S3 has UploadPartCopy; Google's lacks it, and then it is 0. @default 1 */
  SEDIMENT_S3_PART_COPY: flag.optional(),
});

/** The environment, read and checked. */
export interface Env extends z.infer<typeof envSchema> {
  publishableKeys: Record<string, string>;
  secretKeys: Record<string, string>;
  /** The secret key that Sediment itself uses: `default`, else the first. */
  secretKey: string;
}

/**
 * Reads the environment.
 *
 * @param variables names and values, e.g. `Deno.env.toObject()`; empty values count as absent
 * @throws SedimentError `misconfigured`, naming every variable that is wrong and what was expected
 */
export function readEnv(variables: Record<string, string | undefined>): Env {
  const present = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value.trim() !== ""),
  );
  const result = envSchema.safeParse(present);
  if (!result.success) {
    const wrong = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new SedimentError("misconfigured", `The environment is wrong: ${wrong.join("; ")}`, {
      field: String(result.error.issues[0]?.path[0] ?? ""),
      expected: result.error.issues[0]?.message,
    });
  }
  const env = result.data;
  const secretKeys = env.SUPABASE_SECRET_KEYS ?? single(env.SUPABASE_SECRET_KEY);
  const secretKey = secretKeys.default ?? Object.values(secretKeys)[0];
  if (secretKey === undefined) {
    throw new SedimentError("misconfigured", "No secret key is in the environment", {
      field: "SUPABASE_SECRET_KEYS",
      expected: "a JSON object of name to key, or SUPABASE_SECRET_KEY",
    });
  }
  return {
    ...env,
    publishableKeys: env.SUPABASE_PUBLISHABLE_KEYS ?? single(env.SUPABASE_PUBLISHABLE_KEY),
    secretKeys,
    secretKey,
  };
}

/** A variable as it may be told of. */
export interface Variable {
  name: string;
  /** What it holds, unless that is a secret. */
  value?: string;
}

/** The names of the variables that are set or have a default, with the values of those that are no secrets. */
export function variablesOf(env: Env): Variable[] {
  const secret = /KEY|SECRET|JWKS$|DATABASE_URL/;
  return Object.keys(envSchema.shape)
    .filter((name) => env[name as keyof Env] !== undefined)
    .map((name) => secret.test(name) ? { name } : { name, value: String(env[name as keyof Env]) });
}

function single(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { default: key };
}
