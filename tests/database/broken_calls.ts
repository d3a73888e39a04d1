/** The calls of the last release beside the functions of today. */
import { type Callables, releasedFile } from "../../supabase/migrate/released.ts";

/** What the functions of the last release call. */
export async function readReleased(): Promise<Callables> {
  return JSON.parse(await Deno.readTextFile(releasedFile));
}

/** What a caller of the release would trip over, in words. */
export function brokenCalls(released: Callables, now: Callables): string[] {
  return Object.entries(released).flatMap(([name, then]) => {
    const today = now[name];
    if (today === undefined) return [`${name} is gone`];
    const gone = Object.entries(then.arguments)
      .filter(([argument, type]) => today.arguments[argument] !== type)
      .map(([argument, type]) => `${name} takes no ${argument} of type ${type} any more`);
    const demanded = Object.keys(today.arguments)
      .filter((argument) => !today.optional.includes(argument))
      .filter((argument) => !(argument in then.arguments) || then.optional.includes(argument))
      .map((argument) => `${name} demands ${argument}, which the release may leave out`);
    return [...gone, ...demanded];
  });
}
