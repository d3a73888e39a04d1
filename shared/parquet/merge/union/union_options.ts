/** What of two schemas is united beyond what holds without a word: what a table's settings allow. */
export interface UnionOptions {
  /** A UUID beside a text becomes its text, 36 characters in lower case. @default false */
  uuidAsText?: boolean;
}
