import type { CellStore } from "./cell_store.ts";
import type { FinishedColumn } from "./finished_column.ts";

/** A chunk whose pages wait in a store, which gets their room back as they are read: once each. */
export function holdChunk(chunk: FinishedColumn, store: CellStore): FinishedColumn {
  const { leaf, order, codec } = chunk;
  const dictionary = chunk.dictionaryPage();
  const kept = dictionary && { ...dictionary, bytes: store.keep(dictionary.bytes) };
  return {
    leaf,
    order,
    codec,
    pages: chunk.pages.map((page) => {
      const bytes = store.keep(page.bytes);
      return {
        ...page,
        get bytes() {
          return store.take(bytes);
        },
      };
    }),
    dictionaryPage: () => kept && { ...kept, bytes: store.take(kept.bytes) },
  };
}
