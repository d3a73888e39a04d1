/** @jsxImportSource preact */
import { DeadLetters, type Letter } from "./dead_letters.tsx";
import { useLive } from "./live.ts";
import { Shown } from "./parts.tsx";
import { type BadFile, Quarantine } from "./quarantine.tsx";

/** Runs that were given up and files that were set aside. */
export function Trouble() {
  const letters = useLive<{ letters: Letter[] }>("/compaction/dlq-status?limit=200");
  const files = useLive<{ files: BadFile[] }>("/compaction/quarantine?limit=200");
  return (
    <>
      <h1>Dead letters and quarantine</h1>
      <Shown live={letters}>{({ letters }) => <DeadLetters letters={letters} />}</Shown>
      <Shown live={files}>{({ files }) => <Quarantine files={files} />}</Shown>
    </>
  );
}
