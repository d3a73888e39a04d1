/** A fault in compressed bytes; whoever knows the format around them gives it a code and a place. */
export class CompressionFault extends Error {
  override readonly name = "CompressionFault";
  readonly kind: "broken" | "too_large";

  constructor(kind: "broken" | "too_large", detail: string) {
    super(detail);
    this.kind = kind;
  }
}

/** What is thrown for bytes that break the codec's rules. */
export function broken(detail: string): CompressionFault {
  return new CompressionFault("broken", detail);
}

/** What is thrown for output over the limit. */
export function tooLarge(room: number): CompressionFault {
  return new CompressionFault(
    "too_large",
    `the block holds more than ${room} bytes once decompressed`,
  );
}
