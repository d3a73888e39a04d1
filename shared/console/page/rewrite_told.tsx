/** @jsxImportSource preact */
import { Act } from "./act.tsx";
import { Ago } from "./parts.tsx";
import { countText, several } from "./words.ts";

/** How far a table is that is written anew. */
export interface Rewrite {
  dataset_id: string;
  table: string;
  asked_at: string;
  ended_at: string | null;
  files: number;
  waiting: number;
  left_alone: number;
}

/** Tells of it, where somebody has asked, with the button that stops it. */
export function RewriteTold({ rewrite }: { rewrite: Rewrite | undefined }) {
  if (rewrite === undefined) return null;
  const { dataset_id, table, asked_at, ended_at, files, waiting, left_alone } = rewrite;
  return (
    <div class="told-line">
      <p class="quiet">
        Asked to be written anew <Ago time={asked_at} />: {several(files, "file")} marked,{" "}
        {countText(waiting)} still to be written
        {left_alone > 0 && `, ${countText(left_alone)} left as they are`}.
      </p>
      {ended_at === null && (
        <Act
          quiet
          label="Stop"
          path="/compaction/rewrite"
          body={{ dataset_id, table, stop: true }}
          done={() => "No further file is marked; those that are will be written"}
        />
      )}
    </div>
  );
}
