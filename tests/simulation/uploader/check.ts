/** What must hold when the world has come to rest. */
import type { PendingItem } from "../../../shared/uploader/pending/pending_record.ts";
import { identityOfItem, type World } from "./world.ts";

/** Requests that one attempt can make: two, and two more after a stage that was gone. */
const requestsAnAttempt = 4;

/** The broken promises, in words; none is the hope. */
export function violations(world: World, items: PendingItem[]): string[] {
  const found: string[] = [];
  const { service, accepted } = world;
  const kept = new Map(items.map((item) => [identityOfItem(item), item]));

  for (const identity of accepted) {
    const item = kept.get(identity);
    const ended = item && (item.state === "dead" || item.state === "expired");
    if (!service.stored.has(identity) && !ended) found.push(`lost: ${identity}`);
    if (ended && !item.last_error) found.push(`${item.state} without a reason: ${identity}`);
  }
  for (const item of items) {
    if (item.state !== "dead" && item.state !== "expired") {
      found.push(`still ${item.state} at the end: ${item.id}`);
    }
    const code = item.last_error?.code ?? "";
    if (["bytes_missing", "bytes_changed", "record_unreadable"].includes(code)) {
      found.push(`${code}, though no stranger touched the folder: ${item.id}`);
    }
  }
  for (const { identity, user } of world.contents) {
    const sender = service.stored.get(identity)?.user;
    if (user && sender && sender !== user) found.push(`${user}'s, sent as ${sender}: ${identity}`);
  }
  for (const leftover of leftovers(world)) found.push(`left behind: ${leftover}`);
  found.push(...world.broken, ...tooManyRequests(world));
  const unwritten = world.log.some((event) => event.event === "full" && event.id !== undefined);
  if (world.sameHost && !world.clockJumped && !unwritten) {
    for (const overlap of world.overlaps) found.push(`sent by two at once: ${overlap}`);
  }
  return found;
}

function tooManyRequests(world: World): string[] {
  const found: string[] = [];
  const maxAttempts = 5;
  for (const { identity } of world.contents) {
    const requests = world.service.requests.filter((request) => request.identity === identity);
    // A request that no server saw, one that was refused, and a first one that a hotel answered, are no
    // attempt.
    const counted = requests.filter(({ status, step }) =>
      status !== "refuse_connection" && status !== 401 && status !== 403 &&
      !(step === "begin" && String(status).startsWith("portal"))
    );
    // Saved anew after it was stored or had expired, or re-queued: its attempts begin again.
    const lives = world.lives.get(identity) ?? 0;
    // With a full disk an attempt is counted in memory: it is not seen by others, nor after a crash.
    const unwritten = world.log.filter((event) =>
      event.event === "full" && world.identities.get(event.id ?? "") === identity
    ).length;
    // A power cut may bring back the record from before an attempt.
    const bound = requestsAnAttempt * (maxAttempts * lives + unwritten + world.powerCuts);
    if (counted.length > bound) {
      found.push(`${counted.length} requests for ${identity}, of at most ${bound}`);
    }
  }
  // One to see in each batch, and batches come a minute apart; one for each that was just saved.
  const portals = world.service.requests.filter(({ status }) =>
    String(status).startsWith("portal")
  );
  const minutes = world.time.elapsed / 60_000 * world.running.length;
  const lives = [...world.lives.values()].reduce((sum, count) => sum + count, 0);
  if (portals.length > minutes + world.starts + world.manual + 4 * lives) {
    found.push(`${portals.length} requests to a hotel's login page in ${minutes} minutes`);
  }
  const refused = world.service.requests.filter(({ status }) => status === 401).length;
  const bound = world.refusalBound();
  if (refused > bound) found.push(`${refused} refused requests, of at most ${bound}`);
  return found;
}

function leftovers(world: World): string[] {
  const names = (path: string) => world.disk.list(path).map(({ name }) => name);
  const files = names("/pending").filter((name) => name !== ".sediment");
  const records = new Set(
    files.filter((name) => name.endsWith(".json")).map((n) => n.slice(0, 32)),
  );
  return [
    ...files.filter((name) => !records.has(name.slice(0, 32))),
    ...names("/pending/.sediment/tmp").filter((name) => world.sameHost && !world.isRunning(name)),
  ];
}
