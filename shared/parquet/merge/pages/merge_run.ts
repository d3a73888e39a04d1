import { SedimentError } from "../../../errors.ts";
import {
  clashes,
  type ConstantColumn,
  withoutConstants,
  withoutFieldIds,
} from "../../format/constant_columns.ts";
import { checkFooter } from "../../inspect/check_chunks.ts";
import { footerOfBytes, readFooterWithTail } from "../../format/footer.ts";
import { isTrap } from "../../kernels/trap.ts";
import { defaultLimits, limitsWith, type ParquetLimits } from "../../format/limits.ts";
import type { FileMetaData } from "../../format/metadata.ts";
import { parquetError } from "../../format/parquet_error.ts";
import type { RangeReader } from "../../format/range_reader.ts";
import { type SchemaTree, schemaTree } from "../../format/schema.ts";
import type { ByteSink } from "../../write/file_writer.ts";
import { ParquetFile } from "../../write/parquet_file.ts";
import type { RowOrigins } from "../../write/row_origins.ts";
import { elementsOf } from "../../write/schema_elements.ts";
import { freeLayout, type Layout, makeLayout } from "./known_layout.ts";
import { addLargeFile, type LargeFile } from "./large_file.ts";
import { appendWhole, type Instance } from "./merge_instance.ts";
import type { MergeSettings } from "./merge_settings.ts";
import { lacksMemory, OpenGroup } from "./open_group.ts";
import type { ReadInput } from "./read_ahead.ts";
import { StartedAnew, type Taking } from "./recovery.ts";
import type { RunOptions } from "./run_options.ts";
import { appendGroups, isSmall, isSmallScan } from "./small_file.ts";
import { keysWith, keysWithout } from "../../key_values/constant_keys.ts";
import { type KeyedFile, KeyValueUnion } from "../../key_values/key_value_union.ts";
import type { Rejection } from "../union/set_apart.ts";
import { OutputSpelling } from "../union/respell.ts";
import { SetApart } from "../union/set_apart.ts";
import { type PlanSource, sameSchema, type SourcePlan } from "../union/source_plan.ts";

/** A merge under way: inputs are added one after the other, each whole or not at all. */
export class PageMerge {
  readonly #file: ParquetFile;
  readonly #settings: MergeSettings;
  readonly #options: RunOptions;
  readonly #limits: Readonly<ParquetLimits>;
  readonly #open: OpenGroup;
  #schema: SchemaTree | undefined;
  #planSource: PlanSource | undefined;
  /** Of a schema that was given: the inputs decide how its columns are spelled. */
  #spelling: OutputSpelling | undefined;
  #keyValues = KeyValueUnion.none;
  /** Whether the output's own columns leave no place for the plan's; undefined before the first input. */
  #clashes: boolean | undefined;

  constructor(sink: ByteSink, settings: MergeSettings, options: RunOptions) {
    this.#file = new ParquetFile(sink);
    this.#settings = settings;
    this.#options = options;
    this.#limits = limitsWith(options.limits);
    this.#schema = options.schema;
    this.#spelling = options.schema && new OutputSpelling(options.schema);
    this.#open = new OpenGroup(this.#file, settings, options, this.#addAnyhow.bind(this));
  }

  /** The output's schema; undefined while no input could be read. */
  get schema(): SchemaTree | undefined {
    return this.#schema;
  }

  /** The columns that the output gets beside those of its inputs; undefined where it gets none. */
  get constants(): readonly ConstantColumn[] | undefined {
    return this.#clashes === false ? this.#options.constants : undefined;
  }

  /** The output's schema as it is written, without those columns; undefined while no input could be read. */
  get outputSchema(): SchemaTree | undefined {
    if (this.#schema === undefined || this.constants === undefined) return this.#schema;
    return schemaTree(withoutFieldIds(elementsOf(this.#schema)));
  }

  /** Bytes written. */
  get byteLength(): number {
    return this.#file.writer.offset;
  }

  /** Rows of the inputs that were taken. */
  get rowsRead(): number {
    return this.#open.rowsRead;
  }

  /** Inputs that were taken, and left out when there was no memory to write their rows, alone or with others. */
  get leftOut(): readonly Rejection[] {
    return this.#open.leftOut;
  }

  /** Whether an error says that there is no memory for an input alone, which says nothing against it. */
  lacksMemory(error: unknown): boolean {
    return lacksMemory(error, this.#open.instance?.builder);
  }

  /** Rows that were left out, by deduplication or for where they came from. */
  get droppedRows(): number {
    return this.#open.droppedRows;
  }

  /** Ranges of rows that were sorted and written, each by itself. */
  get sortedRanges(): number {
    return this.#open.ranges;
  }

  /** Rows that were left out for where they came from, by origin. */
  get deletedRows(): ReadonlyMap<number, number> {
    return this.#open.deletedRows;
  }

  /** Where the rows of the row groups came from, as far as these say it: those that were sorted. */
  get sortedOrigins(): RowOrigins {
    return this.#file.origins;
  }

  /** Whether the open row group has its size, or more than there is memory for. */
  get isFull(): boolean {
    return this.#open.isFull;
  }

  /**
   * Takes an input whole, or throws what is wrong with it, or {@link SetApart}, and leaves it out.
   * @param trusted whether it is an output of an earlier merge, whose pages need not be decoded to be copied
   */
  async add(input: ReadInput, trusted = false): Promise<void> {
    if (input.error !== undefined) throw input.error;
    const { id, reader, bytes } = input;
    await this.#addAnyhow({ id, reader, trusted, from: 0, rows: 0 }, bytes);
  }

  /** Adds an input, decoded before when the kernels don't know its pages. */
  async #addAnyhow(taking: Taking, bytes: Uint8Array | undefined): Promise<void> {
    try {
      await this.#addWithRoom(taking, taking.reader, bytes);
    } catch (error) {
      const { normalize } = this.#options;
      const unknown = error instanceof SedimentError && error.code === "unsupported_parquet" &&
        this.#open.instance?.builder.lastIsUnknown === true;
      if (!unknown || normalize === undefined) throw error;
      const reader = await normalize(taking.id, taking.reader, error);
      // one that was small still is, and shares a row group with its neighbours
      const decoded = bytes === undefined ? undefined : await reader.read(0, reader.size);
      await this.#addWithRoom({ ...taking, trusted: false }, reader, decoded);
    }
  }

  /** Adds an input; when memory is over for what others have waiting there, that is written first. */
  async #addWithRoom(
    taking: Taking,
    reader: RangeReader,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    let tries = 0;
    while (true) {
      try {
        return await this.#add(taking, reader, bytes);
      } catch (error) {
        if (error instanceof StartedAnew) continue;
        const builder = this.#open.instance?.builder;
        if (builder === undefined || !lacksMemory(error, builder)) throw error;
        if (this.#open.isEmpty) {
          // the kernels stay, which say that it was memory
          if (++tries > 1) throw error;
          // what others left behind in the kernels' memory may be in the way
          this.#open.startAnew();
          continue;
        }
        if (this.#open.dedupes) throw this.#open.tooManyToCompare(error);
        await this.#open.flush();
      }
    }
  }

  /** @param reader what is read: the input, or what it was decoded to */
  async #add(taking: Taking, reader: RangeReader, bytes: Uint8Array | undefined): Promise<void> {
    const { signal } = this.#options;
    const { footer, tail } = bytes === undefined
      ? await readFooterWithTail(reader, this.#limits, signal)
      : { footer: footerOfBytes(bytes, this.#limits) };
    const givenColumns = this.#options.givenColumns?.get(taking.id) ?? 0;
    const whole = schemaTree(footer.metadata.schema, this.#limits);
    const totals = checkFooter(footer.metadata, whole, footer.start, this.#limits);
    const rowCount = totals.rowCount;
    const metadata = withoutConstants(footer.metadata, givenColumns);
    const tree = givenColumns === 0 ? whole : schemaTree(metadata.schema, this.#limits);
    const keys = keysWithout(metadata.keyValues, givenColumns);
    const { plan, keyValues } = this.#placeOf({ keyValues: keys, tree, rowCount });
    const instance = await this.#open.open(this.#schema!);
    const { kernels, builder } = instance;
    const taken = { ...taking, rows: rowCount };
    const layout = makeLayout(kernels, tree, plan, builder.columns);
    builder.readFrom(this.#options.origins?.get(taking.id));
    let kept = false;
    try {
      if (bytes !== undefined && isSmall(metadata, totals.uncompressedBytes, this.#settings)) {
        kept = appendWhole(instance, layout, metadata, bytes, givenColumns === 0);
        this.#open.wait(taken);
        this.#open.commit(builder);
      } else await this.#addLarge(instance, layout, { metadata, reader, tail }, taken);
      if (!kept) freeLayout(kernels, layout);
    } catch (error) {
      if (!isTrap(error)) freeLayout(kernels, layout); // else the kernels are given up
      throw error;
    }
    this.#open.rowsRead += rowCount;
    this.#keyValues = keyValues;
    if (this.isFull) await this.#open.flush();
  }

  /**
   * Takes a small file whose footer is like one that was parsed before; false when it isn't: {@link add} it then.
   * To be asked after whether the row group {@link isFull}.
   */
  addKnown(input: ReadInput): boolean {
    const { bytes } = input;
    const { instance } = this.#open;
    if (bytes === undefined || instance === undefined || instance.known.isEmpty) return false;
    // its footer has columns that are passed over, which no layout that is remembered knows of
    if (this.#options.givenColumns?.has(input.id)) return false;
    const { kernels, builder } = instance;
    const { wasm } = kernels;
    const file = kernels.input(bytes);
    const known = instance.known.find(file, bytes.length);
    if (
      known === undefined || !isSmallScan(kernels, this.#settings, this.#limits.fileValues)
    ) return false;
    const groups = wasm.scanGroups(), table = wasm.scanTable(), rows = wasm.scanRows();
    builder.readFrom(this.#options.origins?.get(input.id));
    try {
      appendGroups(kernels, builder, known.layout, groups, table, file);
    } catch (error) {
      // what the kernels don't know goes the long way, by which it may be decoded
      // or gets room first
      if (builder.lastIsUnknown && this.#options.normalize !== undefined) return false;
      if (builder.lastIsMemory) return false;
      throw error;
    }
    instance.known.use(known);
    this.#open.wait({ id: input.id, reader: input.reader, trusted: false, from: 0, rows });
    this.#open.commit(builder);
    this.#open.rowsRead += rows;
    return true;
  }

  /** How a file fills the output, and the output's keys with its own. Throws {@link SetApart} when it has no place there. */
  #placeOf(file: KeyedFile): { plan: SourcePlan; keyValues: KeyValueUnion } {
    const planSource = this.#options.planSource ?? sameSchema;
    this.#schema ??= file.tree;
    const { constants } = this.#options;
    if (constants !== undefined) {
      this.#clashes ??= leavesNoPlace(this.#schema, constants);
      if (leavesNoPlace(file.tree, constants) !== this.#clashes) {
        throw new SetApart(unlike(constants), "schema");
      }
    }
    if (this.#spelling?.settle(file.tree)) {
      this.#schema = this.#spelling.tree;
      this.#planSource = undefined;
    }
    this.#planSource ??= planSource(this.#schema);
    try {
      return { plan: this.#planSource(file.tree), keyValues: this.#keyValues.with(file) };
    } catch (error) {
      throw error instanceof SedimentError ? new SetApart(error, "schema") : error;
    }
  }

  async #addLarge(
    { kernels, builder }: Instance,
    layout: Layout,
    file: Pick<LargeFile, "metadata" | "reader" | "tail">,
    taking: Taking,
  ): Promise<void> {
    const { trusted, from } = taking;
    const stillThere = async (step: Promise<void>) => {
      await step;
      if (this.#open.instance?.builder !== builder) throw new StartedAnew();
    };
    const written = await addLargeFile({
      kernels,
      builder,
      output: this.#schema!,
      file: this.#file,
      settings: this.#settings,
      ordered: this.#options.order !== undefined,
      filter: this.#filter(taking.id),
      dedupes: this.#open.dedupes,
      flush: () => stillThere(this.#open.flush()),
      commit: () => this.#open.commit(builder),
      signal: this.#options.signal,
    }, { ...file, layout, trusted, from, origins: this.#options.origins?.get(taking.id) });
    if (written !== undefined) this.#open.wait({ ...taking, from: written });
  }

  /** Whether rows of a stretch of an input are left out; undefined where rows are sorted too. */
  #filter(id: string): ((from: number, rows: number) => boolean) | undefined {
    const { order, drop, origins } = this.#options;
    if (drop === undefined || order === undefined || order.sort.length > 0 || this.#open.dedupes) {
      return undefined;
    }
    return (from, rows) => origins?.get(id)?.hasAny(drop, from, rows) ?? false;
  }

  /** Writes the open row group. */
  async flush(): Promise<void> {
    await this.#open.flush();
  }

  /**
   * After a trap of the kernels: what their memory holds may be anything, so a new instance reads the inputs again
   * whose rows wait in it. To be called when {@link add} threw; what it was adding is left out.
   */
  async recover(): Promise<void> {
    await this.#open.recover();
  }

  /**
   * Writes what waits, the page indexes, and the footer.
   * @param unseen gives bytes to stand before the footer, once all rows are written
   */
  async finish(unseen?: () => Uint8Array | undefined): Promise<FileMetaData> {
    await this.#open.finish();
    return await this.#file.finish(
      elementsOf(this.#schema!),
      this.#schema!.leaves.length,
      keysWith(this.#keyValues.pairs(this.#schema!), this.constants ?? []),
      this.#limits,
      unseen,
      this.constants,
    );
  }
}

/** Whether a schema leaves no place for the columns: one of its own has the name, or it has as many as a file may. */
function leavesNoPlace(tree: SchemaTree, constants: readonly ConstantColumn[]): boolean {
  return clashes(tree, constants) ||
    elementsOf(tree).length + constants.length > defaultLimits.schemaElements;
}

function unlike(constants: readonly ConstantColumn[]): SedimentError {
  const names = constants.map(({ name }) => name).join(" and ");
  return parquetError(
    "schema_incompatible",
    `of the file and the output one has a column of its own where the other is given ${names}`,
  );
}
