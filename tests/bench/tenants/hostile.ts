/**
 * The hostile user in a process of its own, which does not share the event loop of those who are looked at:
 * `hostile.ts ATTACK USER_JSON`. For each line of its input, milliseconds, it attacks for so long with eight loops and
 * prints the answers' statuses as a line of JSON.
 */
import { attacks } from "./attacks.ts";
import type { User } from "./user.ts";

const [attack, mallory] = Deno.args;
const hostile = await attacks[attack](JSON.parse(mallory) as User);
console.log("ready");
const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const text of input) {
  const until = performance.now() + Number(text);
  const statuses: Record<number, number> = {};
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (performance.now() < until) {
      const status = await hostile();
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  }));
  console.log(JSON.stringify(statuses));
}
