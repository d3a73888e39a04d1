/**
 * The addresses under which clients reach the functions and Storage, for the URLs that we hand out. Each has a base of
 * its own, since on Deno Deploy they are two hosts.
 */
import { isPrivateAddress } from "../alerts/private_address.ts";

/** What the bases follow from; each absent setting leaves the answer to the next one. */
export interface PublicUrlSettings {
  /** `PUBLIC_URL`: an origin, to which `/functions/v1` is added, or an origin with the path of the functions. */
  publicUrl?: string;
  /** `SUPABASE_PUBLIC_URL`: the project as clients see it; a self-hosted stack sets it. */
  supabasePublicUrl?: string;
  /** `SUPABASE_URL`: the project as the functions see it, which inside Docker is a name that no client knows. */
  supabaseUrl?: string;
  /** `SEDIMENT_STORAGE_PUBLIC_URL`: an origin, to which `/storage/v1` is added, or an origin with Storage's path. */
  storagePublicUrl?: string;
  /** Whether this is an isolate of edge-runtime, where the functions are at SUPABASE_URL too. @default false */
  edge?: boolean;
  /**
   * Whether `X-Forwarded-*` comes from a gateway that overwrites it.
   * @default in an edge isolate whose SUPABASE_URL is not public: hosted ones see `edge-runtime.supabase.com` there
   */
  trustForwarded?: boolean;
}

const functionsPath = "/functions/v1";
const storagePath = "/storage/v1";

/** The URL below which `/battle-data` and the other functions are, without a slash at its end. */
export function publicBase(request: Request, settings: PublicUrlSettings): string {
  const { publicUrl, supabasePublicUrl, supabaseUrl, edge = false } = settings;
  if (publicUrl !== undefined) return withPath(publicUrl, functionsPath);
  if (supabasePublicUrl !== undefined) return trimmed(supabasePublicUrl) + functionsPath;
  const isPublic = supabaseUrl !== undefined && isPublicHttps(supabaseUrl);
  if (edge && isPublic) return trimmed(supabaseUrl) + functionsPath;
  if (settings.trustForwarded ?? edge) {
    const forwarded = forwardedOrigin(request);
    // The platform's gateway strips /functions/v1 before a function sees the request.
    if (forwarded !== null) return forwarded + functionsPath;
  }
  const url = new URL(request.url);
  return url.origin + (url.pathname.startsWith(`${functionsPath}/`) ? functionsPath : "");
}

/** The URL of the Storage API as clients reach it, with its `/storage/v1`, without a slash at its end. */
export function storageBase(request: Request, settings: PublicUrlSettings): string {
  const { storagePublicUrl, supabasePublicUrl, supabaseUrl } = settings;
  if (storagePublicUrl !== undefined) return withPath(storagePublicUrl, storagePath);
  if (supabasePublicUrl !== undefined) return trimmed(supabasePublicUrl) + storagePath;
  if (supabaseUrl !== undefined && isPublicHttps(supabaseUrl)) {
    return trimmed(supabaseUrl) + storagePath;
  }
  return new URL(publicBase(request, settings)).origin + storagePath;
}

/** A signed URL of the Storage API moved from where we reach it to where clients do; another URL stays as it is. */
export function moveStorageUrl(url: string, supabaseUrl: string, base: string): string {
  const inside = new URL(trimmed(supabaseUrl) + storagePath);
  const [, origin, rest] = /^(https?:\/\/[^/?#]+)(\/.*)$/i.exec(url) ?? [];
  // A host in capitals, or a port that the scheme implies, is the same place; the path stays as it was signed.
  return origin && URL.canParse(origin) && new URL(origin).origin === inside.origin &&
      rest.startsWith(`${inside.pathname}/`)
    ? base + rest.slice(inside.pathname.length)
    : url;
}

/** Whether a URL is https and its host may be known to the whole internet. */
export function isPublicHttps(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  if (protocol !== "https:") return false;
  if (hostname.startsWith("[")) return !isPrivateAddress(hostname.slice(1, -1));
  if (/^[\d.]+$/.test(hostname)) return !isPrivateAddress(hostname);
  // A name without a dot is one of a container network; the others are reserved (RFC 6761, RFC 6762, ICANN 2024), or in
  // use in private networks and delegated to nobody (RFC 6762, appendix G).
  return /\.[a-z][a-z0-9-]*\.?$/i.test(hostname) &&
    !/\.(localhost|local|internal|test|invalid|home\.arpa|intranet|private|corp|home|lan)\.?$/i
      .test(hostname);
}

/** What a gateway says of the client's own URL, or null where it says nothing. */
function forwardedOrigin(request: Request): string | null {
  const header = (name: string) => request.headers.get(name)?.split(",")[0]?.trim() || undefined;
  const named = header("x-forwarded-host");
  const proto = header("x-forwarded-proto");
  const port = header("x-forwarded-port");
  if (named === undefined && proto === undefined) return null;
  const scheme = proto === "http" ? "http" : "https";
  const own = new URL(request.url).host;
  const isHost = /^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/;
  const host = named !== undefined && isHost.test(named) ? named : own;
  const usual = scheme === "https" ? "443" : "80";
  const added = port !== undefined && /^\d+$/.test(port) && port !== usual && !/:\d+$/.test(host);
  return `${scheme}://${host}${added ? `:${port}` : ""}`;
}

/** A setting that is an origin, or an origin with a path that takes the place of the usual one. */
function withPath(setting: string, usual: string): string {
  const url = new URL(setting);
  return url.origin + (url.pathname === "/" ? usual : trimmed(url.pathname));
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}
