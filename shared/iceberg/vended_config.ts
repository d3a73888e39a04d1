/** How an engine reaches a table's files: the properties of LoadTableResult. https://py.iceberg.apache.org/configuration/#s3 */

/** An S3 endpoint, and a key to it. */
export interface StoreAccess {
  /** With its scheme, which clients go by. */
  endpoint: string;
  region: string;
  /** Undefined: there is none that may be given away. */
  key?: {
    id: string;
    secret: string;
    sessionToken?: string;
    expiresAt: Date;
  };
}

/** The properties, for who asks for credentials; whoever doesn't has some of their own. */
export function vendedConfig(access: StoreAccess, headers: Headers): Record<string, string> {
  const asked = headers.get("x-iceberg-access-delegation") ?? "";
  if (!asked.includes("vended-credentials") || access.endpoint === "") return {};
  const { key } = access;
  return {
    "s3.endpoint": access.endpoint,
    "s3.region": access.region,
    "client.region": access.region,
    "s3.path-style-access": "true",
    ...(key && {
      "s3.access-key-id": key.id,
      "s3.secret-access-key": key.secret,
      ...(key.sessionToken !== undefined && { "s3.session-token": key.sessionToken }),
      "s3.session-token-expires-at-ms": String(key.expiresAt.getTime()),
    }),
  };
}
