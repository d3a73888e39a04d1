/** Why sending pauses, in words for people. */
import type { Pause } from "../retry/service_machine.ts";

/** What stands in the way; a service that is being upgraded answers, and takes nothing yet. */
export function pauseText({ why, reason }: Pick<Pause, "why" | "reason">): string {
  switch (why) {
    case "offline":
      return reason?.code === "schema_outdated"
        ? "the service is being upgraded"
        : "the server can't be reached";
    case "throttled":
      return "the service asks to wait";
    case "failing":
      return reason?.code ?? "requests fail";
  }
}
