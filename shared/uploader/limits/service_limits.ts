/** How large an upload may be, asked of the service once, so that nothing too large is copied first. */
import type { Clock } from "../../clock.ts";
import { deadline } from "../../clock.ts";
import { SedimentError } from "../../errors.ts";
import { checkSize, chunksOf } from "../pending/media/source_chunks.ts";
import type { ByteSource } from "../pending/pending_medium.ts";
import type { Fetch } from "../send/exchange.ts";
import { protocolFor } from "../send/send_item.ts";
import type { UploaderSettings } from "../settings/settings.ts";
import type { UploadMeta } from "../upload_meta.ts";

/** What the service says, in bytes. */
interface Limits {
  max_body_bytes: number;
  max_direct_bytes: number;
  /** Services of before do not say it. */
  max_asset_bytes?: number;
}

/** Smaller uploads are not asked for: to copy one costs less than a request. */
const askAboveBytes = 4 * 1024 * 1024;
/** Saving must not wait for a network that isn't there. */
const patienceMs = 5_000;

/** The parts of {@link ServiceLimits}. */
export interface ServiceLimitsParts {
  /** Where the functions are, without a slash at the end. */
  base: string;
  fetch: Fetch;
  clock: Clock;
  publishableKey?: string;
  settings: UploaderSettings;
  /** Where what the service said last outlives the process, for a time without a network. */
  note: { read(): Promise<unknown>; write(value: unknown): Promise<void> };
}

/** See the file's head. Where the service can't be asked and never was, nothing is refused here. */
export class ServiceLimits {
  readonly #parts: ServiceLimitsParts;
  #asked: Promise<Limits | null> | null = null;

  constructor(parts: ServiceLimitsParts) {
    this.#parts = parts;
  }

  /**
   * The source, once it is known not to be too large. One whose size nobody knows is refused in the middle, when it
   * has passed the limit.
   *
   * @param size of the source in bytes; undefined: not known
   * @throws `body_too_large` with the limit, `pending_full` where the pending folder could never hold it
   */
  async admit(source: ByteSource, size: number | undefined, meta: UploadMeta): Promise<ByteSource> {
    const { quota_bytes } = this.#parts.settings.pending;
    if (size === undefined) return this.#counted(source, meta);
    checkSize(size, quota_bytes);
    if (size > askAboveBytes) await this.#refuseAbove(size, meta);
    return source;
  }

  async *#counted(source: ByteSource, meta: UploadMeta): AsyncGenerator<Uint8Array> {
    let size = 0;
    for await (const chunk of chunksOf(source)) {
      size += chunk.length;
      if (size > askAboveBytes) await this.#refuseAbove(size, meta, "over ");
      yield chunk;
    }
  }

  async #refuseAbove(size: number, meta: UploadMeta, about = ""): Promise<void> {
    this.#asked ??= this.#ask();
    const limits = await this.#asked;
    if (limits === null) return;
    // Whatever its size is in the end, an upload goes the way that its meta and the settings name.
    const item = { context: meta, size };
    const direct = protocolFor(item, { settings: this.#parts.settings.upload }) === "direct";
    let most = direct ? limits.max_direct_bytes : limits.max_body_bytes;
    if (meta.kind === "asset") most = Math.min(most, limits.max_asset_bytes ?? most);
    if (size <= most) return;
    throw new SedimentError("body_too_large", `the upload has ${about}${size} bytes`, {
      expected: `at most ${most} bytes, the service's limit`,
      extra: { max_bytes: most },
    });
  }

  async #ask(): Promise<Limits | null> {
    const { base, fetch, clock, publishableKey, note } = this.#parts;
    const limit = deadline(clock, patienceMs);
    try {
      const response = await fetch(`${base}/battle-data/limits`, {
        method: "GET",
        headers: publishableKey ? { apikey: publishableKey } : {},
        redirect: "manual",
        signal: limit.signal,
      });
      const limits = limitsIn(await response.json());
      if (limits === null) throw new Error("no limits");
      await note.write(limits).catch(() => {});
      return limits;
    } catch {
      // No network, or an older service: what was said last, if ever it was.
      return limitsIn(await note.read().catch(() => null));
    } finally {
      limit.done();
    }
  }
}

function limitsIn(value: unknown): Limits | null {
  const said = value as Partial<Limits> | null;
  return typeof said?.max_body_bytes === "number" && typeof said.max_direct_bytes === "number"
    ? said as Limits
    : null;
}
