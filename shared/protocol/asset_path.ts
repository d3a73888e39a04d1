/** Keys, paths and names of assets. Predicates without a library, for every side; SQL's `check_asset` says the same. */

/** Most bytes of a key, path or file name in UTF-8: what object stores allow, and an index row of PostgreSQL holds. */
export const maxPathBytes = 1024;

/**
 * Characters that can't be seen, or change how others are seen: control, format (direction, joiners), line separators,
 * surrogates, private use. As ranges and not as `\p{C}`, because each runtime and PostgreSQL know another Unicode.
 */
export const hiddenRanges: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x600, 0x605],
  [0x61c, 0x61c],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x890, 0x891],
  [0x8e2, 0x8e2],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xf8ff],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0x110bd, 0x110bd],
  [0x110cd, 0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe007f],
  [0xf0000, 0x10ffff],
];

const codePoint = (at: number) => `\\u{${at.toString(16)}}`;
/** Whether a text has one of {@link hiddenRanges}. */
export const hidden = new RegExp(
  `[${hiddenRanges.map((range) => range.map(codePoint).join("-")).join("")}]`,
  "u",
);

/** Empty, `.` or `..`, also with white space around, which some systems drop. */
const leavesFolder = /^[ \u1680\u3000]*\.{0,2}[ \u1680\u3000]*$/u;

/** A drive of Windows: joined to a folder there, the path is outside of it. */
const drive = /^[A-Za-z]:/;

/** What is said of a path that is refused. */
export const pathText =
  `1 to ${maxPathBytes} bytes of UTF-8 in NFC, without empty, . or .. segments, ` +
  "drive letters, backslashes and hidden characters";

/** What is said of a file name that is refused. */
export const fileNameText = `a path without slashes: ${pathText}`;

/**
 * Whether a path stays in its folder and shows what it is; also after compatibility normalisation, by which `．．／`
 * becomes `../`.
 */
export function isAssetPath(path: string): boolean {
  return path.length > 0 && new TextEncoder().encode(path).length <= maxPathBytes &&
    isHarmlessPath(path);
}

/** {@link isAssetPath} of whatever length: keys of before the bound are still found. */
export function isHarmlessPath(path: string): boolean {
  if (path !== path.normalize("NFC") || hidden.test(path)) return false;
  const compatible = path.normalize("NFKC");
  return !compatible.includes("\\") && !drive.test(compatible) &&
    compatible.split("/").every((segment) => !leavesFolder.test(segment)) &&
    compatible.split("/").length === path.split("/").length;
}

/** Whether a text is an asset's file name: a path of one segment. */
export function isAssetFileName(name: string): boolean {
  return isAssetPath(name) && !name.includes("/");
}
