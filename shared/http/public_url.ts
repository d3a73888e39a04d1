/** The address under which a client reached us, for the URLs that we hand out. */

/** What {@link publicBase} needs of the environment. */
export interface PublicUrlSettings {
  /** `PUBLIC_URL`: an origin, to which `/functions/v1` is added, or an origin with the path of the functions. */
  publicUrl?: string;
  /** Whether `X-Forwarded-*` comes from a gateway that overwrites it. */
  trustForwarded: boolean;
}

/**
 * The URL below which `/battle-data` and the other functions are, without a slash at its end. Never from
 * SUPABASE_URL: inside the local Docker stack that is a host name no client can reach.
 */
export function publicBase(request: Request, settings: PublicUrlSettings): string {
  if (settings.publicUrl !== undefined) {
    const url = new URL(settings.publicUrl);
    return url.origin + (url.pathname === "/" ? "/functions/v1" : url.pathname.replace(/\/+$/, ""));
  }
  const url = new URL(request.url);
  const prefix = url.pathname.startsWith("/functions/v1/") ? "/functions/v1" : "";
  if (!settings.trustForwarded) return url.origin + prefix;
  const header = (name: string) => request.headers.get(name)?.split(",")[0]?.trim() || undefined;
  const proto = header("x-forwarded-proto") === "http" ? "http" : "https";
  let host = header("x-forwarded-host") ?? url.host;
  const port = header("x-forwarded-port");
  if (!/^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/.test(host)) host = url.host;
  if (port !== undefined && /^\d+$/.test(port) && !/:\d+$/.test(host)) {
    const usual = proto === "https" ? "443" : "80";
    if (port !== usual) host = `${host}:${port}`;
  }
  // The platform's gateway strips /functions/v1 before a function sees the request.
  return `${proto}://${host}/functions/v1`;
}

/** A URL of a store moved to the origin that clients can reach. */
export function publishUrl(url: string, insideUrl: string, base: string): string {
  const inside = new URL(insideUrl).origin;
  return url.startsWith(`${inside}/`) ? new URL(base).origin + url.slice(inside.length) : url;
}
