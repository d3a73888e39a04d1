import type { Stack } from "./stack.ts";

/** What a program needs to use the stack, in one line. */
export function asJson(stack: Stack): string {
  const {
    url,
    publishableKey,
    secretKey,
    cronKey,
    dbUrl,
    adminDbUrl,
    stateDir,
    pids,
    timings,
    s3,
  } = stack;
  const jwksUrl = `${url}/auth/v1/.well-known/jwks.json`;
  return JSON.stringify({
    ...{ url, publishableKey, secretKey, cronKey, dbUrl, adminDbUrl, jwksUrl },
    ...{ stateDir, pid: Deno.pid, pids, timings, s3 },
  });
}

/** What a person needs: addresses, keys, and the first two calls. */
export function asTable(stack: Stack): string {
  const rows = [
    ["API", stack.url],
    ["console", `${stack.url}/console   (as an owner, or with the secret key)`],
    ["functions", `${stack.url}/functions/v1/battle-data`],
    ["database", `${stack.dbUrl}   (role postgres, as hosted)`],
    ["superuser", stack.adminDbUrl],
    ["publishable key", stack.publishableKey],
    ["secret key", stack.secretKey],
    ...(stack.s3 === null ? [] : [
      ["S3 (reading)", `${stack.url}/storage/v1/s3   (region ${stack.s3.region}, by path)`],
      ["S3 key", `${stack.s3.accessKeyId} ${stack.s3.secretAccessKey}`],
    ]),
    ["state", stack.stateDir],
  ];
  const table = rows.map(([name, value]) => `  ${name.padEnd(16)} ${value}`).join("\n");
  return `
Sediment is up (${(stack.timings.ready / 1000).toFixed(1)} s)

${table}

A user, then a first upload (in this checkout; README.md goes on from here):

  TOKEN=$(curl -s ${stack.url}/auth/v1/signup -H 'apikey: ${stack.publishableKey}' \\
    -H 'content-type: application/json' -d '{"email":"${
    crypto.randomUUID().slice(0, 8)
  }@example.com","password":"a-long-password"}' \\
    | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl -s ${stack.url}/functions/v1/battle-data/upload -H "authorization: Bearer $TOKEN" \\
    -H 'apikey: ${stack.publishableKey}' -F file=@docs/sample/battles-1.parquet \\
    -F 'metadata={"dataset_id":"${crypto.randomUUID()}","table":"battles","period_tag":"2024-11-25"}'

Ctrl-C stops everything; the data stays in the state folder.`;
}
