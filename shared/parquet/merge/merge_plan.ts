import type { ConstantColumn } from "../format/constant_columns.ts";
import type { FileFacts } from "../inspect/file_facts.ts";
import type { SchemaJson } from "../format/schema_json.ts";
import type { MergeOrder } from "./pages/row_order.ts";
import type { Rejection } from "./union/set_apart.ts";
import type { UnionOptions } from "./union/union_options.ts";
import type { RangeReader } from "../format/range_reader.ts";
import type { MergeTarget } from "../format/merge_target.ts";
import type { RowOrigins } from "../write/row_origins.ts";

/** What one output file is made of and how it is to be written. */
export interface MergePlan {
  /**
   * In the order of the output's rows. `level` is the data file's level in the catalog: uploads have 0, what a merge
   * wrote more, and is trusted further (see `copyGroup`).
   */
  inputs: {
    id: string;
    level: number;
    /** Where its rows came from. @default not known, and then not of the output either */
    origins?: RowOrigins;
    /** How many of its last columns an earlier merge gave it (`MergePlan.constants`): they are passed over. @default 0 */
    givenColumns?: number;
  }[];
  target: MergeTarget;
  /**
   * The output's schema, as the catalog keeps schemas: the union of the inputs' (`unionSchema`).
   * @default the schema of the first input that can be read
   */
  schema?: SchemaJson;
  /** What is united beyond what always is: what the table's settings allow. */
  union?: UnionOptions;
  /** Rows of all inputs as the catalog has them. */
  expectedRows: number;
  /** Sorts the rows, and keeps of equal keys the last only. @default the order of the inputs */
  order?: MergeOrder;
  /** Rows of these origins are left out. */
  drop?: ReadonlySet<number>;
  /**
   * Columns that the output gets beside those of its inputs, the last ones; then no element of its footer has a field id.
   * Where the inputs have a column of such a name themselves it gets none (`MergeResult.hasConstants`), and files that
   * differ in that are set apart.
   */
  constants?: readonly ConstantColumn[];
}

/** Takes the output's bytes in file order; the caller opens, closes and aborts what is behind it. */
export interface Sink {
  /** Resolves when more may be written. The bytes may be reused afterwards. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Appends a range of an input that nobody looks at on its way, as a store can that moves bytes by itself; false when
   * it can't, and nothing was appended. Asked only for what an earlier merge wrote. The sink answers for it that the
   * bytes are those that the catalog means.
   */
  copy?(input: RangeReader, start: number, length: number): Promise<boolean>;
}

/** What a merge made, and what is known of it. */
export interface MergeResult extends FileFacts {
  /** Whether the output has the columns of `plan.constants`; absent where there are none. What else is here is without them. */
  hasConstants?: boolean;
  /** Bytes written to the sink; 0 when every input was rejected, and then there is no output. */
  byteLength: number;
  /** Rows that `order.dedupe` left out. */
  droppedRows?: number;
  /**
   * Of sorted rows how many ranges there are, each sorted by itself: 1, unless all were more than there is memory for.
   * Absent where `plan.order` is.
   */
  sortedRanges?: number;
  /** Of each origin of `plan.drop` how many rows were left out. */
  deletedRows?: ReadonlyMap<number, number>;
  /** Where the output says where its rows came from (`RowOrigins`); absent where it does not. */
  origins?: { start: number; length: number };
  /** Ids of the inputs whose rows are in the output, all of their rows (but for `droppedRows` and `deletedRows`). */
  merged: string[];
  /** Inputs that were left out whole, with the reason. */
  rejected: Rejection[];
}
