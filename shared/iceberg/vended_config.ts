/** How an engine reaches a table's files: the properties of LoadTableResult. https://py.iceberg.apache.org/configuration/#s3 */

/** An S3 endpoint, and what opens it. */
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
  /** Where requests are signed: the catalog's base, and the path from there. Undefined: nowhere. */
  signer?: { uri: string; endpoint: string };
}

/**
 * The properties, for who asks for credentials or signatures; whoever doesn't has some of their own. Who asks for credentials
 * where there are none is told of signatures too: pyiceberg asks for those alone, and signs when it is told to.
 */
export function vendedConfig(access: StoreAccess, headers: Headers): Record<string, string> {
  const asked = (headers.get("x-iceberg-access-delegation") ?? "").split(",").map((one) =>
    one.trim()
  );
  const wantsKey = asked.includes("vended-credentials");
  if (!wantsKey && !asked.includes("remote-signing") || access.endpoint === "") return {};
  const { key, signer } = access;
  const vended = wantsKey ? key : undefined;
  return {
    "s3.endpoint": access.endpoint,
    "s3.region": access.region,
    "client.region": access.region,
    "s3.path-style-access": "true",
    ...(vended && {
      "s3.access-key-id": vended.id,
      "s3.secret-access-key": vended.secret,
      ...(vended.sessionToken !== undefined && { "s3.session-token": vended.sessionToken }),
      "s3.session-token-expires-at-ms": String(vended.expiresAt.getTime()),
    }),
    ...(vended === undefined && signer && {
      "s3.remote-signing-enabled": "true",
      "s3.signer": "S3V4RestSigner",
      // pyiceberg and Java until 1.10, and Java since
      "s3.signer.uri": signer.uri,
      "s3.signer.endpoint": signer.endpoint,
      "signer.uri": signer.uri,
      "signer.endpoint": signer.endpoint,
      // pyiceberg's other way to S3 knows no signatures by others
      "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO",
    }),
  };
}
