/** Addresses that a request from inside a deployment must not be talked into reaching. */

/** [network, bits] of IPv4: RFC 6890 and its kin. */
const networks4: [string, number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/**
 * Whether an IP address is loopback, link-local, private or otherwise not of the public internet.
 *
 * @param address IPv4 in four decimals, or IPv6; what is neither counts as private
 */
export function isPrivateAddress(address: string): boolean {
  const four = parse4(address);
  if (four !== null) {
    return networks4.some(([net, bits]) => four >>> (32 - bits) === parse4(net)! >>> (32 - bits));
  }
  const groups = parse6(address.split("%")[0]!);
  if (groups === null) return true;
  const [first, second] = groups as [number, number];
  const embedded = ((groups[6]! << 16) | groups[7]!) >>> 0;
  const asFour = `${embedded >>> 24}.${(embedded >>> 16) & 255}.${(embedded >>> 8) & 255}.${
    embedded & 255
  }`;
  const zeros = groups.slice(0, 5).every((group) => group === 0);
  // ::, ::1, ::a.b.c.d and ::ffff:a.b.c.d
  if (zeros && (groups[5] === 0 || groups[5] === 0xffff)) {
    return groups[5] === 0 || isPrivateAddress(asFour);
  }
  // NAT64 (RFC 6052), which hands on to IPv4
  if (first === 0x64 && second === 0xff9b) return true;
  // 6to4 (RFC 3056) and Teredo (RFC 4380) too; the latter's 2001::/23 is for protocols altogether (RFC 2928)
  if (first === 0x2002 || (first === 0x2001 && second < 0x200)) return true;
  // for documentation (RFC 3849, RFC 9637)
  if ((first === 0x2001 && second === 0xdb8) || (first === 0x3fff && second < 0x1000)) return true;
  // only 2000::/3 is given out as global unicast
  return first >>> 13 !== 1;
}

function parse4(text: string): number | null {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return null;
  return parts.reduce((sum, part) => sum * 256 + part, 0) >>> 0;
}

function parse6(text: string): number[] | null {
  if (!/^[0-9a-f:.]+$/i.test(text) || !text.includes(":")) return null;
  try {
    // The URL parser writes IPv6 in its one canonical form (WHATWG URL, "IPv6 serializer").
    const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
    const [head, tail] = canonical.split("::") as [string, string | undefined];
    const numbers = (part: string) =>
      part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
    const before = numbers(head);
    const after = tail === undefined ? [] : numbers(tail);
    const gap = 8 - before.length - after.length;
    return [...before, ...new Array(gap).fill(0), ...after];
  } catch {
    return null;
  }
}
