/** A merge for nothing: whether a known sound file passes in this worker, before one of which a worker died is tried. */
import { mergeOrderOf } from "../plan/merge_order.ts";
import { givenColumns } from "./output/lake_columns.ts";
import { openReaders } from "./output/object_readers.ts";
import type { Claim, CompactionPorts, InputFile } from "./ports.ts";

/**
 * Reads and merges the files one by one, in the same way as any other, until one has passed. What comes of it is thrown
 * away.
 *
 * @param files of others, each light enough for any worker
 * @param signal stops it
 * @returns whether one passed
 * @throws what the merge throws, once the signal has fired
 */
export async function passesControl(
  { store, merge }: Pick<CompactionPorts, "store" | "merge">,
  files: InputFile[],
  { settings }: Pick<Claim, "settings">,
  signal: AbortSignal,
): Promise<boolean> {
  for (const file of files) {
    const id = String(file.id);
    try {
      const result = await merge(
        {
          inputs: [{ id, level: file.level, givenColumns: givenColumns(file) }],
          target: {
            rowGroupBytes: settings.target_row_group_bytes,
            pageBytes: settings.target_page_bytes,
            codec: settings.codec,
          },
          expectedRows: file.row_count,
          // the keys are those of another table
          order: mergeOrderOf({ ...settings, sort_keys: [], dedupe_keys: [] }),
        },
        openReaders(store, [{ ...file, id }], signal),
        { write: () => Promise.resolve() },
        { signal },
      );
      if (result.merged.length === 1 && result.rowCount === file.row_count) return true;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      // it says nothing of the worker that this file can't be read; another may pass
    }
  }
  return false;
}
