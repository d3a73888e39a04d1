/** The world of one seed: a disk, a service, a session, processes that upload, die and come back. */
import { SedimentError } from "../../../shared/errors.ts";
import { openFolderMedium } from "../../../shared/uploader/pending/media/folder_medium.ts";
import type { LogEvent } from "../../../shared/uploader/log.ts";
import type { PendingMedium } from "../../../shared/uploader/pending/pending_medium.ts";
import {
  credentialOf,
  type Session,
  type SessionEvent,
} from "../../../shared/uploader/session/session.ts";
import type { UploaderSettingsInput } from "../../../shared/uploader/settings/settings.ts";
import type { PendingItem } from "../../../shared/uploader/pending/pending_record.ts";
import { createUploader, type Uploader } from "../../../shared/uploader/uploader.ts";
import type { UploadMetaInput } from "../../../shared/uploader/upload_meta.ts";
import {
  FakeService,
  type Fault,
  identityOf as serviceIdentity,
  type SeenRequest,
} from "../../uploader/support/fake_service.ts";
import { CrashingDisk } from "./crashing_disk.ts";
import { type Breakage, SimulatedProcess } from "./process.ts";
import { InterruptedPush } from "./interrupted_push.ts";
import type { Sabotage } from "./sabotage.ts";
import { sabotageMedium } from "./sabotage.ts";
import { sha256 } from "../../../shared/uploader/sha256.ts";
import { VirtualTime } from "./virtual_time.ts";

/** Something that can be uploaded. */
export interface Content {
  bytes: Uint8Array;
  meta: UploadMetaInput;
  /** What the service tells it by. */
  identity: string;
  /** Who saves it; null: somebody who isn't signed in. */
  user: User;
}

/** Who is signed in. */
export type User = "ann" | "bob" | null;

/** How rough the world is; probabilities are for each call or request. */
export interface Climate extends Breakage {
  network: {
    lose: number;
    refuse: number;
    error: number;
    busy: number;
    portal: number;
    hang: number;
  };
  /** Whether the service takes the session. */
  tokenTaken: boolean;
  /** The token has run out, and there is no network to refresh it. */
  lapsed: boolean;
}

/** A climate in which nothing breaks. */
export const calm: Climate = {
  crash: 0,
  full: 0,
  io: 0,
  noSync: false,
  network: { lose: 0, refuse: 0, error: 0, busy: 0, portal: 0, hang: 0 },
  tokenTaken: true,
  lapsed: false,
};

/** A running process with its uploader. */
export interface Running {
  process: SimulatedProcess;
  uploader: Uploader;
}

const folder = "/pending";
/** A dataset for each user: the first who uploads to one owns it. */
const datasetOf = {
  ann: "0b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f",
  bob: "1b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f",
  nobody: "2b3f1c58-5b0f-4f0e-9d3e-6a1f0c2d4e5f",
};

/** What the service tells an item by. */
export function identityOfItem(item: Pick<PendingItem, "context" | "content_hash">): string {
  return serviceIdentity({ ...item.context, content_hash: item.content_hash });
}

/** See the file's head. */
export class World {
  readonly time: VirtualTime;
  readonly disk: CrashingDisk;
  readonly service: FakeService;
  climate: Climate = { ...calm };
  readonly running: (Running | null)[];
  readonly contents: Content[] = [];
  /** Identities whose save was acknowledged. */
  readonly accepted = new Set<string>();
  readonly log: LogEvent[] = [];
  readonly trace: string[] = [];
  /** How often an identity's attempts began anew: saved, or re-queued. */
  readonly lives = new Map<string, number>();
  /** Record ids → identities. */
  readonly identities = new Map<string, string>();
  starts = 0;
  /** Batches asked for by hand: they pass over all waiting. */
  manual = 0;
  /** Times at which the service stopped taking the session, and for how long (ms). */
  storms = 0;
  stormMs = 0;
  stormSince = 0;
  /** Pushes that came to their end, and those of them that Ctrl-C ended. */
  pushes = 0;
  interrupts = 0;
  /** Accounts of pushes that were not true. */
  readonly broken: string[] = [];
  readonly #pushes = new Map<SimulatedProcess, Set<InterruptedPush>>();
  crashes = 0;
  powerCuts = 0;
  faults = 0;
  /** Whether the machine's clock was moved. */
  clockJumped = false;
  readonly sabotage: Sabotage | null;
  readonly settings: UploaderSettingsInput;
  /** Sending this kills the process: bytes that some library chokes on. */
  poison: Content | null = null;
  /** Requests under way: identity → processes. Overlaps are sent by two at once. */
  readonly overlaps: string[] = [];
  readonly #sending = new Map<string, SimulatedProcess>();
  readonly #sessionListeners = new Set<(event: SessionEvent) => void>();
  #tokens = 0;
  token: string;
  user: User = "ann";
  #owners = 0;
  readonly #alive = new Map<string, SimulatedProcess>();
  /** Processes of another host can't be looked at. */
  readonly sameHost: boolean;

  constructor(seed: number, processes: number, sabotage: Sabotage | null = null) {
    this.time = new VirtualTime(seed);
    this.disk = new CrashingDisk(this.time);
    this.sabotage = sabotage;
    this.sameHost = this.time.chance(0.7);
    this.token = this.#newToken();
    this.service = new FakeService({
      now: () => Date.UTC(2026, 10, 22) + this.time.elapsed, // the server's clock is right
      userOf: (token) => this.climate.tokenTaken ? credentialOf(token).userId : null,
      fault: (request) => this.#networkFault(request),
      stageSeconds: 120,
    });
    this.running = Array.from({ length: processes }, () => null);
    this.settings = {
      retry: sabotage === "no-auth-backoff" ? { auth_backoff_seconds: 0 } : {},
    };
    for (let i = 0; i < 12; i++) this.#addContent(i, "ann");
    for (let i = 12; i < 18; i++) this.#addContent(i, "bob");
    for (let i = 18; i < 22; i++) this.#addContent(i, null);
  }

  /** Writes down what happened, for the trace of a failing seed. */
  note(what: string): void {
    this.trace.push(`${String(Math.round(this.time.elapsed)).padStart(9)} ms  ${what}`);
  }

  /** Starts process `slot`; it may die before it is up. */
  async start(slot: number): Promise<void> {
    const process = new SimulatedProcess({
      owner: `sim-${++this.#owners}-x`,
      time: this.time,
      disk: this.disk,
      breakage: () => ({ ...this.climate, noSync: this.sabotage === "no-sync" }),
      onCrash: (dead) => this.#crashed(dead, slot),
    });
    this.starts++;
    this.#alive.set(process.owner, process);
    this.running[slot] = { process, uploader: null as unknown as Uploader };
    let uploader: Uploader;
    try {
      const opened = await openFolderMedium({
        path: folder,
        fs: process.fs,
        clock: process.clock,
        owner: process.owner,
        isAlive: (owner) => this.#isAlive(owner, process),
      });
      const medium: PendingMedium = {
        ...sabotageMedium(opened, this.sabotage),
        commit: (id, staged, text) => {
          const identity = identityOfItem(JSON.parse(text));
          this.identities.set(id, identity);
          this.#newLife(identity);
          return opened.commit(id, staged, text);
        },
      };
      const fetch = process.fetchFrom(this.service);
      uploader = await createUploader({
        url: this.service.url,
        medium,
        clock: process.clock,
        session: this.#sessionOf(process),
        settings: this.settings,
        fetch: (url, init) => this.#watched(process, url, init, fetch),
        log: (event) => {
          if (!process.alive) return;
          this.log.push(event);
          for (const push of this.#pushes.get(process) ?? []) push.heard(event);
          this.note(
            `${process.owner} ${event.event} ${event.id?.slice(0, 8) ?? ""} ${event.code ?? ""}`,
          );
        },
      });
    } catch (error) {
      // The folder could not be opened (an I/O error): the app is closed and started again later.
      if (!process.alive) return;
      this.note(`${process.owner} did not start: ${(error as Error).message}`);
      process.alive = false;
      this.#gone(process, slot);
      this.time.after(5_000, () => void this.start(slot));
      return;
    }
    if (!process.alive) return;
    this.running[slot] = { process, uploader };
    this.note(`${process.owner} up`);
    uploader.start();
  }

  /** The app of a process saves a content, and sends it. */
  async upload(slot: number, content: Content): Promise<void> {
    const one = this.running[slot];
    if (!one?.uploader || !one.process.alive) return;
    try {
      await one.uploader.upload(content.bytes, content.meta, {
        onProgress: (progress) => {
          if (progress.phase === "saved" && one.process.alive) {
            this.accepted.add(content.identity);
            this.note(`${one.process.owner} accepted ${progress.id.slice(0, 8)}`);
          }
        },
      });
    } catch (error) {
      this.note(`${one.process.owner} refused an upload: ${(error as Error).message}`);
    }
  }

  /**
   * The command line of a process pushes contents; Ctrl-C comes after so many milliseconds. What it says of
   * each is looked at against the truth.
   */
  async push(slot: number, contents: Content[], endAfterMs: number): Promise<void> {
    const one = this.running[slot];
    if (!one?.uploader || !one.process.alive) return;
    const { process, uploader } = one;
    const ended = new AbortController();
    this.time.after(endAfterMs, () => {
      if (process.alive) ended.abort();
    });
    const push = new InterruptedPush({ contents, process, uploader, signal: ended.signal });
    const pushes = this.#pushes.get(process) ?? new Set();
    this.#pushes.set(process, pushes.add(push));
    try {
      await push.run((identity) => this.accepted.add(identity));
    } catch (error) {
      this.note(`${process.owner} gave a push up: ${(error as Error).message}`);
      return;
    } finally {
      pushes.delete(push);
    }
    this.pushes++;
    if (ended.signal.aborted) this.interrupts++;
    this.note(`${process.owner} pushed ${contents.length}: ${push.summary()}`);
    const kept = (id: string) => this.disk.read(`${folder}/${id}.json`) !== null;
    const isStored = (identity: string) => this.service.stored.has(identity);
    const forgetful = this.sabotage === "no-account";
    this.broken.push(...push.violations({ kept, isStored, forgetful }));
  }

  /** The session gets another token, and says so. */
  refresh(): void {
    if (this.user === null) return;
    this.token = this.#newToken();
    this.note("TOKEN_REFRESHED");
    this.#tell("TOKEN_REFRESHED");
  }

  /** Another user signs in, or nobody is signed in any more. */
  signIn(user: User): void {
    this.user = user;
    this.note(`signed in: ${user}`);
    if (user !== null) this.token = this.#newToken();
    this.#tell(user === null ? "SIGNED_OUT" : "SIGNED_IN");
  }

  #newToken(): string {
    return `x.${btoa(JSON.stringify({ sub: this.user, n: ++this.#tokens }))}.y`;
  }

  #tell(event: SessionEvent): void {
    for (const listener of this.#sessionListeners) listener(event);
  }

  /** The machine's power fails: all processes die, and what was not synced is lost in part. */
  cutPower(): void {
    this.powerCuts++;
    this.note("power cut");
    this.running.forEach((one, slot) => {
      if (!one?.process.alive) return;
      one.process.alive = false;
      this.#gone(one.process, slot);
      this.time.after(this.time.between(1_000, 60_000), () => void this.start(slot));
    });
    this.disk.cutPower();
  }

  /** A person asks for a batch, and gives dead items another chance. */
  async lendAHand(slot: number): Promise<void> {
    const one = this.running[slot];
    if (!one?.uploader || !one.process.alive) return;
    try {
      for (const item of await one.uploader.dead()) {
        if (!this.time.chance(0.5)) continue;
        this.#newLife(identityOfItem(item));
        await one.uploader.requeue([item.id]);
      }
      this.manual++;
      await one.uploader.retry();
    } catch (error) {
      this.note(`${one.process.owner} could not be helped: ${(error as Error).message}`);
    }
  }

  /** Records on the disk that have not ended. */
  unended(): string[] {
    return this.disk.list(folder).filter(({ name }) => name.endsWith(".json")).filter(
      ({ name }) => {
        const text = new TextDecoder().decode(this.disk.read(`${folder}/${name}`)!);
        return !/"state": "(dead|expired)"/.test(text);
      },
    ).map(({ name }) => name);
  }

  /** Whether the process that a temporary file is named for still runs. */
  isRunning(file: string): boolean {
    return this.#alive.has(file.split(".")[0]);
  }

  /**
   * The most refused requests that are no loop: at each storm what was under way in each process, and
   * one more at once; then one each auth backoff. A restart may have lost its note of the park.
   */
  refusalBound(): number {
    const slots = this.running.length;
    return slots * (12 * this.storms + this.stormMs / 300_000) + 6 * this.starts + 6 * this.manual;
  }

  #newLife(identity: string): void {
    this.lives.set(identity, (this.lives.get(identity) ?? 0) + 1);
  }

  #crashed(process: SimulatedProcess, slot: number): void {
    this.crashes++;
    this.note(`${process.owner} crashed at call ${process.calls}`);
    this.#gone(process, slot);
    if (this.time.chance(0.3)) this.cutPower();
    this.time.after(this.time.between(100, 120_000), () => void this.start(slot));
  }

  #gone(process: SimulatedProcess, slot: number): void {
    this.#alive.delete(process.owner);
    this.running[slot] = null;
    for (const [identity, sender] of this.#sending) {
      if (sender === process) this.#sending.delete(identity);
    }
  }

  #isAlive(owner: string, asker: SimulatedProcess): boolean | null {
    if (owner === asker.owner || this.#alive.has(owner)) {
      return this.sameHost || owner === asker.owner ? true : null;
    }
    return this.sameHost ? false : null;
  }

  #sessionOf(process: SimulatedProcess): Session {
    return {
      userId: () => this.sabotage === "no-owner" ? null : this.user,
      credential: async () => {
        if (this.user === null) return null;
        if (this.climate.lapsed) throw new SedimentError("server_unreachable", "no refresh");
        return await Promise.resolve(credentialOf(this.token));
      },
      onChange: (listener) => {
        const own = (event: SessionEvent) => {
          if (process.alive) listener(event);
          else this.#sessionListeners.delete(own);
        };
        this.#sessionListeners.add(own);
        return () => void this.#sessionListeners.delete(own);
      },
    };
  }

  async #watched(
    process: SimulatedProcess,
    url: string,
    init: RequestInit,
    fetch: (url: string, init: RequestInit) => Promise<Response>,
  ): Promise<Response> {
    // The first request of an attempt names what it is about.
    if (typeof init.body !== "string") return await fetch(url, init);
    const identity = serviceIdentity(JSON.parse(init.body));
    const other = this.#sending.get(identity);
    if (other && other !== process && other.alive) {
      this.overlaps.push(`${identity} by ${other.owner} and ${process.owner}`);
    }
    this.#sending.set(identity, process);
    try {
      const response = await fetch(url, init);
      return identity === this.poison?.identity ? await process.die() : response;
    } finally {
      if (this.#sending.get(identity) === process) this.#sending.delete(identity);
    }
  }

  #networkFault(request: SeenRequest): Fault | undefined {
    const { network } = this.climate;
    const { time } = this;
    const fault = ((): Fault | undefined => {
      if (time.chance(network.refuse)) return "refuse_connection";
      if (time.chance(network.lose)) return time.chance(0.5) ? "lose_request" : "lose_answer";
      if (time.chance(network.error)) return { answer: time.pick([500, 502, 503, 546]) };
      if (time.chance(network.portal)) return { answer: 200, html: true };
      if (time.chance(network.hang)) return "hang";
      if (time.chance(network.busy)) {
        const headers: Record<string, string> = time.chance(0.5)
          ? { "retry-after": String(time.between(0, 300)) }
          : {};
        return { answer: 429, code: "rate_limited", headers };
      }
      if (request.step === "put" && time.chance(network.error)) {
        return { answer: 410, code: time.pick(["token_expired", "stage_expired"]) };
      }
      // Some contents are bad for good.
      const bad = this.contents.find((content) => content.identity === request.identity);
      if (bad && bad.bytes[0] === 255 && request.step === "put") {
        return { answer: 422, code: "not_parquet" };
      }
      return undefined;
    })();
    if (fault !== undefined) this.faults++;
    const what = typeof fault === "object" ? fault.answer : fault ?? "";
    const user = request.token && credentialOf(request.token).userId;
    this.note(`  ${request.step} ${user} ${what}`);
    return fault;
  }

  #addContent(i: number, user: User): void {
    const bytes = new Uint8Array(this.time.between(10, 400)).fill(i);
    bytes[0] = i === 0 ? 255 : i;
    const meta: UploadMetaInput = i % 4 === 3
      ? { kind: "asset", key: `assets/${i}`, relative_path: `${i}`, file_name: `${i}` }
      : {
        kind: "fragment",
        dataset_id: datasetOf[user ?? "nobody"],
        table: `t${i % 3}`,
        period_tag: "0",
      };
    const identity = serviceIdentity({ ...meta, content_hash: sha256(bytes) });
    this.contents.push({ bytes, meta, identity, user });
  }
}
