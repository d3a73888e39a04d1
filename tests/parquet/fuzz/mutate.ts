import { chunkExtent } from "../../../shared/parquet/inspect/check_chunks.ts";
import { joinGroups, type LoadedGroup } from "../../../shared/parquet/merge/decode/joined_file.ts";
import { footerBytes, footerOfBytes } from "../../../shared/parquet/format/footer.ts";
import type { FileMetaData } from "../../../shared/parquet/format/metadata.ts";
import { type PageHeader, readPageHeader } from "../../../shared/parquet/format/page_header.ts";
import { writePageHeader } from "../write_page_header.ts";
import { ThriftWriter } from "../../../shared/parquet/format/thrift/thrift_writer.ts";
import type { Random } from "./random.ts";

/** A changed file, and in words what was changed. */
export interface Mutant {
  bytes: Uint8Array;
  what: string;
}

/** Changes a file in one of the ways that break readers. The file itself must be sound. */
export function mutate(file: Uint8Array, random: Random): Mutant {
  return random.pick(ways)(file, random);
}

const ways = [
  flipBytes,
  flipBytes,
  flipFooter,
  cutOrRepeat,
  lieInFooter,
  lieInFooter,
  lieInSchema,
  lieInPageHeader,
  lieInPageHeader,
  breakPageBody,
  breakPageBody,
  breakPageBody,
  cutPage,
];

/** A number that is near what was there, or at an edge of what numbers can be. */
function lie(value: number, random: Random): number {
  return random.pick([
    () => value + 1,
    () => value - 1,
    () => value * 2,
    () => Math.floor(value / 2),
    () => 0,
    () => -1,
    () => random.below(300),
    () => 2 ** random.below(31),
    () => 2 ** 31 - 1,
    () => 2 ** 30,
    () => 2 ** (32 + random.below(20)),
  ])();
}

function flipBytes(file: Uint8Array, random: Random): Mutant {
  const bytes = file.slice();
  const count = 1 + random.below(4);
  const places: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = random.below(bytes.length);
    bytes[at] ^= random.pick([1 << random.below(8), 0xff, 1 + random.below(255)]);
    places.push(at);
  }
  return { bytes, what: `bytes changed at ${places.join(", ")}` };
}

function flipFooter(file: Uint8Array, random: Random): Mutant {
  const { start } = footerOfBytes(file);
  const bytes = file.slice();
  const at = start + random.below(bytes.length - start);
  bytes[at] ^= 1 + random.below(255);
  return { bytes, what: `footer byte changed at ${at}` };
}

function cutOrRepeat(file: Uint8Array, random: Random): Mutant {
  const at = random.below(file.length);
  const length = 1 + random.below(Math.min(200, file.length - at));
  const rest = file.subarray(at + length);
  const inserted = random.pick([
    new Uint8Array(0),
    new Uint8Array(length),
    new Uint8Array(2 * length).fill(0xff),
    file.slice(at, at + length).reverse(),
  ]);
  const bytes = new Uint8Array(at + inserted.length + rest.length);
  bytes.set(file.subarray(0, at));
  bytes.set(inserted, at);
  bytes.set(rest, at + inserted.length);
  return { bytes, what: `${length} bytes at ${at} replaced by ${inserted.length}` };
}

function withMetadata(file: Uint8Array, metadata: FileMetaData, start: number): Uint8Array {
  const footer = footerBytes(metadata);
  const bytes = new Uint8Array(start + footer.length);
  bytes.set(file.subarray(0, start));
  bytes.set(footer, start);
  return bytes;
}

/** Replaces one number somewhere in a plain object; gives its name. */
function lieIn(target: object, random: Random): string {
  const record = target as Record<string, unknown>;
  const names = Object.keys(record).filter((name) => typeof record[name] === "number");
  const name = random.pick(names);
  record[name] = lie(record[name] as number, random);
  return `${name} = ${record[name]}`;
}

function lieInFooter(file: Uint8Array, random: Random): Mutant {
  const { metadata, start } = footerOfBytes(file);
  if (metadata.rowGroups.length === 0) return flipFooter(file, random);
  const group = random.pick(metadata.rowGroups);
  const chunk = random.pick(group.columns);
  const other = random.pick(group.columns);
  const meta = chunk.metaData!;
  const what = random.pick([
    () => lieIn(meta, random),
    () => lieIn(meta, random),
    () => lieIn(chunk, random),
    () => lieIn(group, random),
    () => lieIn(metadata, random),
    () => {
      chunk.metaData = other.metaData;
      return "a chunk's metadata is another's";
    },
    () => {
      metadata.rowGroups.push(group);
      return "a row group twice";
    },
    () => {
      meta.path = random.pick([[...meta.path, "x"], ["x"], []]);
      return "another path";
    },
    () => {
      const more = 1 + random.below(5);
      group.numRows += more;
      for (const { metaData } of group.columns) metaData!.numValues += more;
      return `${more} rows more in all chunks`;
    },
  ])();
  return { bytes: withMetadata(file, metadata, start), what: `footer: ${what}` };
}

function lieInSchema(file: Uint8Array, random: Random): Mutant {
  const { metadata, start } = footerOfBytes(file);
  const element = random.pick(metadata.schema);
  const what = random.pick([
    () => lieIn({ ...element }, random) && lieIn(element, random),
    () => `repetition = ${element.repetition = random.below(4)}`,
    () => `type = ${element.type = random.below(9)}`,
    () => `convertedType = ${element.convertedType = random.below(23)}`,
    () => {
      element.logicalType = {
        kind: "DECIMAL",
        scale: random.below(5),
        precision: random.below(40),
      };
      return "a decimal";
    },
    () => {
      element.logicalType = random.pick([
        { kind: "LIST" },
        { kind: "MAP" },
        { kind: "STRING" },
        { kind: "UUID" },
        undefined,
      ]);
      return `logical ${element.logicalType?.kind}`;
    },
    () => {
      metadata.schema.splice(random.below(metadata.schema.length), 1);
      return "an element less";
    },
  ])();
  return { bytes: withMetadata(file, metadata, start), what: `schema: ${element.name}: ${what}` };
}

interface Page {
  header: PageHeader;
  body: Uint8Array;
}

/** Takes a random chunk apart into pages, and puts the file together again after `change`. */
function withPages(
  file: Uint8Array,
  random: Random,
  change: (pages: Page[]) => string | undefined,
): Mutant {
  const { metadata } = footerOfBytes(file);
  const full = metadata.rowGroups.filter((group) => group.numRows > 0);
  if (full.length === 0) return flipFooter(file, random);
  const chosenGroup = random.pick(full);
  const chosen = random.below(chosenGroup.columns.length);
  let what: string | undefined;
  const groups = full.map((group): LoadedGroup => ({
    numRows: group.numRows,
    chunks: group.columns.map((chunk, i) => {
      const meta = chunk.metaData!;
      const { start, length } = chunkExtent(meta);
      const bytes = file.slice(start, start + length);
      if (group !== chosenGroup || i !== chosen) return { meta, bytes };
      const pages: Page[] = [];
      for (let at = 0, values = 0; values < meta.numValues && at < bytes.length;) {
        const header = readPageHeader(bytes, at);
        const from = at + header.headerLength;
        at = from + header.compressedSize;
        if (header.type !== 2) values += header.numValues;
        pages.push({ header, body: bytes.slice(from, at) });
      }
      what = change(pages);
      const writer = new ThriftWriter();
      const parts: Uint8Array[] = [];
      let dictionary = 0;
      for (const { header, body } of pages) {
        writer.reset();
        writePageHeader(writer, header);
        parts.push(writer.view().slice(), body);
        if (header.type === 2 && parts.length === 2) dictionary = writer.length + body.length;
      }
      const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0);
      return {
        // offsets count by their distance only
        meta: {
          ...meta,
          dictionaryPageOffset: dictionary > 0 ? 4 : undefined,
          dataPageOffset: 4 + dictionary,
        },
        bytes: joined,
      };
    }),
  }));
  if (what === undefined) return flipBytes(file, random);
  const path = chosenGroup.columns[chosen].metaData!.path.join(".");
  return { bytes: joinGroups(groups, metadata), what: `column ${path}: ${what}` };
}

function lieInPageHeader(file: Uint8Array, random: Random): Mutant {
  return withPages(file, random, (pages) => {
    const index = random.below(pages.length);
    return `page ${index}: ${lieIn(pages[index].header, random)}`;
  });
}

/** Changes bytes of a page's body, mostly at its beginning, where levels and bit widths are. */
function breakPageBody(file: Uint8Array, random: Random): Mutant {
  return withPages(file, random, (pages) => {
    const index = random.below(pages.length);
    const { body, header } = pages[index];
    if (body.length === 0) return undefined;
    const places: number[] = [];
    for (let i = 0; i <= random.below(3); i++) {
      const at = random.below(random.pick([Math.min(12, body.length), body.length]));
      body[at] = random.pick([body[at] ^ (1 << random.below(8)), 0, 255, random.below(256)]);
      places.push(at);
    }
    // half of the time the CRC, where there is one, is made to fit
    if (random.below(2) === 0) header.crc = -1;
    return `page ${index}: body changed at ${places.join(", ")}`;
  });
}

/** Cuts a page short, leaves one out or has one twice, with headers that fit what is there. */
function cutPage(file: Uint8Array, random: Random): Mutant {
  return withPages(file, random, (pages) => {
    const index = random.below(pages.length);
    const page = pages[index];
    switch (random.below(3)) {
      case 0: {
        const length = random.below(page.body.length + 1);
        const cut = page.body.length - length;
        page.body = page.body.subarray(0, length);
        page.header.compressedSize = length;
        page.header.uncompressedSize -= random.pick([0, cut]);
        page.header.crc = -1;
        return `page ${index}: cut to ${length} bytes`;
      }
      case 1:
        pages.splice(index, 1);
        return `page ${index} left out`;
      default:
        pages.splice(index, 0, page);
        return `page ${index} twice`;
    }
  });
}
