/**
 * The catalog as TypeScript sees it: one method a SQL function, under the same name and with the same
 * arguments (`p_period_tag` is `periodTag`), and nothing else. What each does, answers and raises is said at
 * the head of its source, supabase/schemas/…/<name>.sql.
 */
import type * as z from "zod";
import { SedimentError } from "../errors.ts";
import type { Database } from "./database.types.ts";
import { results } from "./results.ts";
import type { CommitResult, OutputFile } from "./run_results.ts";
import type { UploadedFile } from "./upload_results.ts";

/** The names of the methods; each is a SQL function in camel case. */
export type CatalogMethod = keyof typeof results;

/** Options of every call. */
export interface CallOptions {
  /** Stops waiting for the answer. What the database did may still have happened. */
  signal?: AbortSignal;
}

/**
 * @example
 * ```ts
 * const stage = await catalog.stageUpload({ user, dataset, table, periodTag, size, contentHash, offsetsDigest: "" });
 * ```
 */
export type Catalog = {
  [M in CatalogMethod]: (
    args: CatalogArgs<M>,
    options?: CallOptions,
  ) => Promise<z.output<(typeof results)[M]>>;
};

/** What a call crosses: PostgREST, or a connection of one's own. Gives the function's jsonb. */
export type CatalogTransport = (
  functionName: string,
  args: Record<string, unknown>,
  options: CallOptions,
) => Promise<unknown>;

/** The arguments of a method: those of the SQL function without `p_`, in camel case; null is SQL's null. */
export type CatalogArgs<M extends CatalogMethod> = {
  [A in keyof SqlArgs<M> as Camel<WithoutPrefix<A>>]: Value<M, A, SqlArgs<M>[A]>;
};

type Functions = Database["public"]["Functions"];
type FunctionOf = { [F in keyof Functions as Camel<F>]: F };
type SqlArgs<M extends CatalogMethod> = Functions[FunctionOf[M]]["Args"];
type WithoutPrefix<A> = A extends `p_${infer Name}` ? Name : never;
type Camel<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Name;

/** The generated types know neither what a jsonb holds nor that an argument may be null. */
type Value<M, A, T> = [M, A] extends ["retryQuarantined", "p_files"] ? readonly number[] | null
  : [M, A] extends ["markForRewrite" | "settleOutputs" | "setApart", "p_files"] ? readonly object[]
  : A extends "p_files" ? UploadedFile[]
  : A extends "p_output" ? OutputFile | null
  : [M, A] extends ["commitCompaction", "p_result"] ? CommitResult | null
  : [T] extends [number[] | undefined] ? readonly number[] | null
  : [T] extends [string[] | undefined] ? readonly string[] | null
  : [T] extends [string | number | boolean | undefined] ? T | null
  : unknown;

/** A catalog over any transport; both adapters are this. */
export function catalogOver(transport: CatalogTransport): Catalog {
  const methods = (Object.keys(results) as CatalogMethod[]).map((method) => {
    const functionName = snake(method);
    const call = async (args: Record<string, unknown>, options: CallOptions = {}) => {
      return parseAnswer(method, await transport(functionName, sqlArguments(args), options));
    };
    return [method, call];
  });
  return Object.fromEntries(methods) as Catalog;
}

/** A method's arguments under the names that the SQL function gives them. */
export function sqlArguments(args: object): Record<string, unknown> {
  const sqlArgs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(args)) {
    if (value !== undefined) sqlArgs[sqlArgument(name)] = value;
  }
  return sqlArgs;
}

/** Each argument's name is made once: uploads come with a dozen, hundreds of times a second. */
const argumentNames = new Map<string, string>();

function sqlArgument(name: string): string {
  let known = argumentNames.get(name);
  if (known === undefined) argumentNames.set(name, known = `p_${snake(name)}`);
  return known;
}

/** The SQL function of a method. */
export const snake = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A function's jsonb as its method gives it; throws `misconfigured` when it has another shape. */
export function parseAnswer<M extends CatalogMethod>(
  method: M,
  value: unknown,
): z.output<(typeof results)[M]> {
  const parsed = results[method].safeParse(value);
  if (parsed.success) return parsed.data as z.output<(typeof results)[M]>;
  const [issue] = parsed.error.issues;
  throw new SedimentError(
    "misconfigured",
    `${snake(method)} answered another shape at ${
      issue.path.join(".") || "the top"
    }: ${issue.message}`,
    { expected: "the migrations of this version of the code", cause: parsed.error },
  );
}
