/** Who holds a claim or a lock: `host-pid-random`, so that the dead can be told from the living. */
import { createHash, randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";

const host = createHash("sha256").update(hostname() + pidNamespace()).digest("hex").slice(0, 8);
const ours = new Set<string>();

/**
 * Containers may share a host's name, and a process of one is unknown in the other: its id says nothing
 * there, so each PID namespace of Linux counts as a host of its own.
 */
function pidNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return ""; // no Linux, or no /proc
  }
}

/** A new owner of this process. */
export function newOwner(): string {
  const owner = `${host}-${process.pid}-${randomBytes(4).toString("hex")}`;
  ours.add(owner);
  return owner;
}

/**
 * Whether an owner's process lives: null when it is on another host. An owner with our process id that
 * is not ours is a dead one: containers give every process the id 1.
 */
export function isOwnerAlive(owner: string): boolean | null {
  const [ownerHost, pid] = owner.split("-");
  if (ownerHost !== host) return null;
  if (Number(pid) === process.pid) return ours.has(owner);
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code !== "ESRCH"; // EPERM: it lives, as another user
  }
}
