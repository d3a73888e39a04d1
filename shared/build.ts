/** Which sources a function was built from: supabase/deploy/bundle.ts writes it into each bundle. */

declare const SEDIMENT_BUILD: string | undefined;

/** Twelve hexadecimal digits of the sources' SHA-256; `source` where the code runs unbundled. */
export const build: string = typeof SEDIMENT_BUILD === "undefined" ? "source" : SEDIMENT_BUILD;

/** The header in which every answer tells it, so that a look from outside sees what is deployed. */
export const buildHeader = "sediment-build";
