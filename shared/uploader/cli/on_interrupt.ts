/** Ctrl-C, a service manager's stop, a terminal that is closed: the command ends in order. */
import process from "node:process";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls back at the first signal; a second one ends the process as it would without us.
 *
 * @returns takes the call back
 */
export function onInterrupt(act: (signal: typeof signals[number]) => void): () => void {
  const end = () => {
    for (const signal of signals) process.off(signal, once);
  };
  const once = (signal: NodeJS.Signals) => {
    end();
    act(signal as typeof signals[number]);
  };
  for (const signal of signals) process.on(signal, once);
  return end;
}
