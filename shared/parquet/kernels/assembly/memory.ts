/**
 * The kernels' own allocator: size classes, four to a doubling, with free lists over a bump pointer; large
 * blocks are joined with their neighbours when they are freed, so that what grows doesn't leave holes behind.
 * A block carries its class and its capacity before it and 16 bytes of slack behind it, so that copies
 * of 8 and 16 bytes may run over the end of what was asked for.
 */
import { failMemory } from "./errors";

const HEADER: u32 = 16;
const SLACK: u32 = 16;
const FREE_LISTS = memory.data(4 * 128);

let top: usize = (__heap_base + 15) & ~15;
/** Bytes of linear memory that may be taken; never more than the module's maximum. */
let limit: usize = 0;
let taken: usize = 0;

export function setMemoryLimit(bytes: u32): void {
  limit = bytes;
}

/** Bytes of blocks that are in use. */
export function memoryTaken(): u32 {
  return <u32> taken;
}

@inline
function classOf(size: u32): u32 {
  const shift: u32 = 29 - clz<u32>(size);
  const index: u32 = (size + ((1 << shift) - 1)) >> shift;
  return shift * 4 + index - 4;
}

@inline
function classSize(kind: u32): u32 {
  return (4 + (kind & 3)) << (kind >> 2);
}

/** Blocks from this size on are cut from the heap in steps of {@link STEP}, and joined again when freed. */
const LARGE: u32 = 32 * 1024;
const STEP: u32 = 4096;
/** The class that stands for a large block. */
const LARGE_KIND: u32 = 127;
/** Free large blocks in the order of their addresses: {size, next}. */
let largeFree: usize = 0;

/** Moves the end of the heap; false with the memory error set when the limit is reached. */
function raise(end: usize, size: u32): bool {
  if (limit != 0 && end > limit) return failMemory(size) != 0;
  const have: usize = <usize> memory.size() << 16;
  if (end > have) {
    const pages = <i32> ((end - have + 0xffff) >> 16);
    // grown by an eighth at least, so that growth is rare
    const extra = <i32> (have >> 19);
    if (
      pages >= extra || (limit != 0 && have + (<usize> extra << 16) > limit) ||
      memory.grow(extra) < 0
    ) {
      if (memory.grow(pages) < 0) return failMemory(size) != 0;
    }
  }
  top = end;
  return true;
}

function allocLarge(total: u32, size: u32): usize {
  const whole = (total + STEP - 1) & ~(STEP - 1);
  let before: usize = 0;
  let block = largeFree;
  while (block != 0) {
    const has = load<u32>(block);
    const next: usize = load<u32>(block + 4);
    if (has >= whole) {
      let rest = next;
      if (has > whole) {
        rest = block + whole;
        store<u32>(rest, has - whole);
        store<u32>(rest + 4, <u32> next);
      }
      if (before == 0) largeFree = rest;
      else store<u32>(before + 4, <u32> rest);
      break;
    }
    before = block;
    block = next;
  }
  if (block == 0) {
    block = top;
    if (!raise(block + whole, size)) return 0;
  }
  store<u32>(block, LARGE_KIND);
  store<u32>(block + 4, whole - HEADER - SLACK);
  taken += whole;
  return block + HEADER;
}

function freeLarge(block: usize): void {
  let size = load<u32>(block + 4) + HEADER + SLACK;
  taken -= size;
  let before: usize = 0;
  let after = largeFree;
  while (after != 0 && after < block) {
    before = after;
    after = load<u32>(after + 4);
  }
  if (after != 0 && block + size == after) {
    size += load<u32>(after);
    after = load<u32>(after + 4);
  }
  if (before != 0 && before + load<u32>(before) == block) {
    block = before;
    size += load<u32>(before);
  } else if (before == 0) largeFree = block;
  else store<u32>(before + 4, <u32> block);
  store<u32>(block, size);
  store<u32>(block + 4, <u32> after);
}

/** A block of at least `size` bytes, or 0 with the memory error set. */
export function alloc(size: u32): usize {
  if (size > 0x3fff0000) return failMemory(size);
  const total: u32 = max<u32>(size + HEADER + SLACK, 64);
  if (total >= LARGE) return allocLarge(total, size);
  const kind = classOf(total);
  const list: usize = FREE_LISTS + (<usize> kind << 2);
  let block: usize = load<u32>(list);
  const whole = classSize(kind);
  if (block != 0) {
    store<u32>(list, load<u32>(block + 8));
  } else {
    block = top;
    if (!raise((block + whole + 15) & ~15, size)) return 0;
    store<u32>(block, kind);
    store<u32>(block + 4, whole - HEADER - SLACK);
  }
  taken += whole;
  return block + HEADER;
}

/** Gives a block back; 0 is allowed. */
export function free(ptr: usize): void {
  if (ptr == 0) return;
  const block = ptr - HEADER;
  const kind = load<u32>(block);
  if (kind == LARGE_KIND) return freeLarge(block);
  const list: usize = FREE_LISTS + (<usize> kind << 2);
  taken -= classSize(kind);
  store<u32>(block + 8, load<u32>(list));
  store<u32>(list, <u32> block);
}

@inline
export function capacity(ptr: usize): u32 {
  return ptr == 0 ? 0 : load<u32>(ptr - 12);
}

/** The block, or a bigger one that holds its first `used` bytes; 0 when memory is over. */
export function reserve(ptr: usize, used: u32, need: u32): usize {
  if (ptr != 0 && load<u32>(ptr - 12) >= need) return ptr;
  // large blocks grow by a quarter: several dozen of them wait for pages at once
  const bigger = alloc(max<u32>(need, used + (used >> (used > 1 << 20 ? 2 : 1)) + 64));
  if (bigger == 0) return 0;
  if (used != 0) memory.copy(bigger, ptr, used);
  free(ptr);
  return bigger;
}

@inline
function copy16(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to, load<u64>(from, 8), 8);
}

/**
 * Copies `n` bytes, by 16 as long as they are few: up to 15 more are read and written, in the slack behind both blocks or
 * where the next value comes. A call of memory.copy costs what 64 bytes take so.
 */
@inline
export function copyFew(to: usize, from: usize, n: u32): void {
  if (n > 64) {
    memory.copy(to, from, n);
    return;
  }
  copy16(to, from);
  if (n <= 16) return;
  copy16(to + 16, from + 16);
  if (n <= 32) return;
  copy16(to + 32, from + 32);
  if (n > 48) copy16(to + 48, from + 48);
}
