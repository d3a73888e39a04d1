/** One POST to an address that people configured: bounded, and not to where it must not go. */
import { lookup } from "node:dns/promises";
import { SedimentError } from "../errors.ts";
import { isPrivateAddress } from "./private_address.ts";

/** How a webhook may be reached. */
export interface PostOptions {
  /** Whether loopback, link-local and private addresses, and plain http, are allowed. */
  privateAddresses: boolean;
  /** Milliseconds for all of it, the answer's body too. @default 5000 */
  timeoutMs?: number;
  /** Stops it before that. */
  signal?: AbortSignal;
  fetch?: typeof fetch;
  /** Addresses of a host. @default the system's resolver */
  resolve?: (host: string) => Promise<string[]>;
}

/** Bytes of an answer that are looked at. */
const sniffed = 512;

/**
 * Posts JSON. An answer counts when it is 2xx and no page of HTML: a login page answers 200 as well. Its type says
 * nothing: Slack's incoming webhooks answer a bare `ok` as text/html (slackapi/node-slack-sdk#480). Redirects are not
 * followed, for they lead past the check of the address. The name is resolved for that check and again by the
 * request; that both see one address is ensured by TLS, which is why plain http needs `privateAddresses`.
 *
 * Errors name the host alone: the path of a webhook is its secret.
 *
 * @throws SedimentError `server_unreachable`, `answer_timeout`, `unexpected_answer`, and `forbidden` for an
 * address that is not allowed
 */
export async function postWebhook(url: string, body: unknown, options: PostOptions): Promise<void> {
  const { privateAddresses, timeoutMs = 5000, resolve = resolveHost } = options;
  const target = new URL(url);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  try {
    if (!privateAddresses) await demandPublic(target, untilAborted(resolve, signal));
    const response = await (options.fetch ?? fetch)(target, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "sediment" },
      body: JSON.stringify(body),
      redirect: "manual",
      signal,
    });
    const start = await firstBytes(response);
    if (response.status < 200 || response.status > 299) {
      throw new SedimentError("unexpected_answer", `${target.host} answered ${response.status}`, {
        expected: "a 2xx status; redirects are not followed",
      });
    }
    if (/^[\s\ufeff]*<(!doctype|!--|html|head|body)/i.test(start)) {
      throw new SedimentError("unexpected_answer", `${target.host} answered with a page of HTML`);
    }
  } catch (thrown) {
    if (thrown instanceof SedimentError) throw thrown;
    if (signal.aborted) {
      throw new SedimentError(
        "answer_timeout",
        timeout.aborted
          ? `${target.host} did not answer in ${timeoutMs} ms`
          : `${target.host} had not answered when the work was stopped`,
        { cause: thrown },
      );
    }
    throw new SedimentError("server_unreachable", `${target.host}: ${reasonOf(thrown, target)}`, {
      cause: thrown,
    });
  }
}

/** What a failed fetch says, without the URL that Deno puts into it. */
function reasonOf(thrown: unknown, target: URL): string {
  const { message, cause } = thrown as Error;
  const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
  return reason.replace(/https?:\/\/[^\s)]*/g, target.host);
}

async function demandPublic(
  target: URL,
  resolve: (host: string) => Promise<string[]>,
): Promise<void> {
  if (target.protocol !== "https:") {
    throw new SedimentError("forbidden", `${target.host} is reached by plain http`, {
      expected: "https, or alert_private_addresses",
    });
  }
  const host = target.hostname.replace(/^\[|\]$/g, "");
  const literal = host.includes(":") || /^[\d.]+$/.test(host);
  const addresses = literal ? [host] : await resolve(host);
  const refused = addresses.find(isPrivateAddress);
  if (addresses.length === 0 || refused !== undefined) {
    throw new SedimentError("forbidden", `${target.host} is at ${refused ?? "no address"}`, {
      expected: "a public address, or alert_private_addresses",
    });
  }
}

async function resolveHost(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** A lookup can't be stopped; what waits for it can. */
function untilAborted(
  resolve: (host: string) => Promise<string[]>,
  signal: AbortSignal,
): (host: string) => Promise<string[]> {
  return (host) =>
    new Promise((done, fail) => {
      signal.addEventListener("abort", () => fail(signal.reason), { once: true });
      resolve(host).then(done, fail);
    });
}

/** The beginning of an answer; the rest is not taken. */
async function firstBytes(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  let text = "";
  const decoder = new TextDecoder();
  while (reader !== undefined && text.length < sniffed) {
    const { value, done } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  await reader?.cancel().catch(() => {});
  return text;
}
