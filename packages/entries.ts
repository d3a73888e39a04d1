/** What the client's package exports: a path each, so that nobody bundles what they don't import. */
import { fileURLToPath } from "node:url";

/** The checkout's root folder. */
export const root = fileURLToPath(new URL("../", import.meta.url));

/** An export of the client's package: for all, or one for browsers and one for the others. */
export interface Entry {
  /** As in `sediment-client/NAME`. */
  name: string;
  /** Paths of its modules below the root. */
  module: string;
  browser?: string;
}

const client = (name: string): Entry => ({ name, module: `packages/client/${name}.ts` });

/** All of them. */
export const entries: Entry[] = [
  client("uploader"),
  {
    name: "medium",
    module: "packages/client/medium_disk.ts",
    browser: "packages/client/medium_indexeddb.ts",
  },
  client("pairs"),
  client("resumable"),
  client("integrate"),
  client("service"),
  client("settings"),
  client("reader"),
];

/** What npm packages bring at run time, by the names that the entries import. */
export const clientDependencies: string[] = ["croner", "smol-toml", "tus-js-client", "zod"];

/** What users of the reader alone install: it is as large as all the rest. */
export const readerDependencies = ["apache-arrow"];
