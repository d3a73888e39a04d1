/** Waiting for what is to happen. */

/**
 * Asks again until the answer is there.
 *
 * @param what for the error, when it never is
 * @param probe a truthy answer ends the waiting; errors end it too
 * @param seconds how long to ask; generous, since it only matters when the test fails
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  seconds = 180,
): Promise<T> {
  const until = performance.now() + seconds * 1000;
  while (true) {
    const answer = await probe();
    if (answer) return answer;
    if (performance.now() > until) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
