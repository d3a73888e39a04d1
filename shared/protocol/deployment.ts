/** What `/compaction/deployment` answers, for the function that tells it and the tool that reads it. */
import * as z from "zod";

/** What the functions have for a deployment. Values of secrets are in no part of it. */
export const deploymentSchema = z.object({
  service: z.literal("sediment"),
  version: z.string().describe("Of the product."),
  build: z.string().describe(
    "Twelve digits of the sources' SHA-256, or `source` where they run unbundled.",
  ),
  now: z.string().describe("The isolate's clock."),
  runtime: z.object({ deno: z.string(), edge: z.boolean() }),
  asked_with: z.string().describe("The name of the secret key with which this was asked."),
  variables: z.array(z.object({ name: z.string(), value: z.string().optional() }))
    .describe("What is set or has a default; secrets by their names alone."),
  secret_key_names: z.array(z.string()),
  publishable_key_names: z.array(z.string()),
  signing_keys: z.object({
    source: z.string(),
    count: z.int().nullable(),
    kids: z.array(z.string()).optional(),
  }).describe("Of users' tokens, with their public ids; null when they could not be fetched."),
  urls: z.object({ functions: z.string(), storage: z.string() })
    .describe("As they are handed out to whoever asked."),
  store: z.object({ kind: z.string(), bucket: z.string(), fault: z.string().nullable() }),
  missing_wasm: z.array(z.string()).nullable()
    .describe("Keys of modules that are not in the store; null when it could not be asked."),
  limits: z.object({ max_body_bytes: z.int(), max_direct_bytes: z.int() }),
});
export type DeploymentAnswer = z.output<typeof deploymentSchema>;
