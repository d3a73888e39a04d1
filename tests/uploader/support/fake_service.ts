/**
 * A service that speaks the upload protocol from memory, with the failures that a
 * test asks for. Used through its `fetch`, or over a socket by `http_service.ts`.
 */
import { sha256 } from "../../../shared/uploader/sha256.ts";

/** What goes wrong with one request. */
export type Fault =
  /** Answers this instead of doing anything. */
  | { answer: number; code?: string; headers?: Record<string, string>; html?: boolean }
  /** Does it and loses the answer, or loses the request. */
  | "lose_answer"
  | "lose_request"
  | "refuse_connection"
  | "hang";

/** A request, as the service sees it. */
export interface SeenRequest {
  method: string;
  path: string;
  step: "begin" | "put" | "one_request" | "direct_put" | "complete" | "other";
  /** What the upload is, where the request says so. */
  identity: string;
  token: string | null;
  status: number | string;
}

interface Stage {
  identity: string;
  fields: Record<string, unknown>;
  user: string;
  expiresAt: number;
  direct: boolean;
  bytes?: Uint8Array;
}

/** Options of {@link FakeService}. */
export interface FakeServiceOptions {
  now?: () => number;
  /** Asked for every request; undefined: it goes well. */
  fault?: (request: SeenRequest, count: number) => Fault | undefined;
  /** The user of a token; null: refused with 401. */
  userOf?: (token: string) => string | null;
  stageSeconds?: number;
  origin?: string;
}

/** See the file's head. */
export class FakeService {
  readonly origin: string;
  readonly requests: SeenRequest[] = [];
  /** identity → how it was stored, and how often bytes for it arrived. */
  readonly stored = new Map<
    string,
    { answer: Record<string, unknown>; user: string; puts: number }
  >();
  readonly owners = new Map<string, string>();
  readonly #stages = new Map<string, Stage>();
  readonly #options: FakeServiceOptions;
  #count = 0;

  constructor(options: FakeServiceOptions = {}) {
    this.#options = options;
    this.origin = options.origin ?? "http://sediment.test";
  }

  /** Where the functions are. */
  get url(): string {
    return `${this.origin}/functions/v1`;
  }

  /** Changes what goes wrong. */
  set fault(fault: FakeServiceOptions["fault"]) {
    this.#options.fault = fault;
  }

  /** What is said of every compaction run. */
  runStatus: () => Record<string, unknown> = () => ({ status: "success" });

  /** How large an upload may be; null: a service that doesn't say. */
  limits: { max_body_bytes: number; max_direct_bytes: number; max_asset_bytes?: number } | null = {
    max_body_bytes: 8 * 1024 ** 2,
    max_direct_bytes: 50 * 1024 ** 2,
  };
  /** How often that was asked. */
  limitsAsked = 0;

  /** As `fetch`, without a network. */
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    // A Request works out the headers of a form, as fetch does.
    const { headers } = new Request(url, { ...init, signal: undefined });
    const body = await bytesOf(init.body, headers);
    const result = await this.handle(init.method ?? "GET", new URL(url), headers, body);
    if (init.signal?.aborted) throw init.signal.reason;
    if (result === "refuse_connection") {
      throw Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } });
    }
    if (result === "reset") {
      throw new TypeError("fetch failed", { cause: new Error("socket closed") });
    }
    if (result === "hang") {
      return await new Promise((_, reject) => {
        init.signal?.addEventListener("abort", () => reject(init.signal!.reason));
      });
    }
    return result;
  };

  /** One request, done or failed. */
  async handle(
    method: string,
    url: URL,
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<Response | "reset" | "hang" | "refuse_connection"> {
    if (url.pathname.endsWith("/battle-data/limits")) {
      this.limitsAsked++;
      const down = this.#options.fault?.({ ...nobody, method, path: url.pathname }, this.#count);
      if (down === "refuse_connection") return down;
      return this.limits ? json(this.limits) : problem(404, "not_found");
    }
    const seen = await this.#look(method, url, headers, body);
    this.requests.push(seen);
    const fault = this.#options.fault?.(seen, ++this.#count);
    if (fault === "hang" || fault === "refuse_connection") {
      seen.status = fault;
      return fault;
    }
    if (fault === "lose_request") {
      seen.status = fault;
      return "reset";
    }
    if (typeof fault === "object") {
      seen.status = fault.html ? `portal ${fault.answer}` : fault.answer;
      if (fault.html) {
        return new Response("<html>sign in to the hotel's network</html>", {
          status: fault.answer,
          headers: { "content-type": "text/html", ...fault.headers },
        });
      }
      return problem(fault.answer, fault.code, fault.headers);
    }
    const response = await this.#answer(seen, url, headers, body);
    seen.status = response.status;
    if (fault === "lose_answer") {
      seen.status = `lost ${response.status}`;
      return "reset";
    }
    return response;
  }

  async #look(
    method: string,
    url: URL,
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<SeenRequest> {
    const token = headers.get("authorization")?.replace("Bearer ", "") ?? null;
    const common = { method, path: url.pathname, token, status: "?" };
    const stage = this.#stages.get(url.searchParams.get("token") ?? "");
    if (url.pathname.includes("/storage/v1/object/upload/sign/")) {
      return { ...common, step: "direct_put", identity: stage?.identity ?? "" };
    }
    if (url.pathname.endsWith("/complete")) {
      const id = url.pathname.split("/").at(-2)!;
      return { ...common, step: "complete", identity: this.#stages.get(id)?.identity ?? "" };
    }
    if (url.searchParams.has("token")) {
      return { ...common, step: "put", identity: stage?.identity ?? "" };
    }
    if (headers.get("content-type")?.startsWith("multipart/form-data")) {
      const { fields } = await multipart(headers, body);
      return { ...common, step: "one_request", identity: identityOf(fields) };
    }
    if (method === "POST" && url.pathname.endsWith("/upload")) {
      return { ...common, step: "begin", identity: identityOf(JSON.parse(text(body))) };
    }
    return { ...common, step: "other", identity: "" };
  }

  async #answer(
    seen: SeenRequest,
    url: URL,
    headers: Headers,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<Response> {
    const user = seen.token === null ? null : this.#user(seen.token);
    if (seen.step !== "direct_put" && user === null) return problem(401, "unauthenticated");
    switch (seen.step) {
      case "begin": {
        const fields = JSON.parse(text(body));
        if (!this.#mayWrite(fields, user!)) return problem(403, "dataset_forbidden");
        const token = crypto.randomUUID();
        const expiresAt = this.#now() + (this.#options.stageSeconds ?? 120) * 1000;
        const direct = url.searchParams.get("direct") === "1";
        this.#stages.set(token, {
          identity: seen.identity,
          fields,
          user: user!,
          expiresAt,
          direct,
        });
        const uploadUrl = direct
          ? `${this.origin}/storage/v1/object/upload/sign/sediment/x?token=${token}`
          : `${this.url}/${
            url.pathname.includes("asset") ? "asset-sync" : "battle-data"
          }/upload?token=${token}`;
        return json({
          uploadUrl,
          expiresAt: new Date(expiresAt).toISOString(),
          ...(direct ? { uploadId: token } : {}),
        });
      }
      case "put":
      case "complete": {
        const token = seen.step === "put"
          ? url.searchParams.get("token")!
          : url.pathname.split("/").at(-2)!;
        const stage = this.#stages.get(token);
        if (!stage) return problem(401, "token_invalid");
        if (stage.user !== user) return problem(403, "forbidden");
        if (this.#now() > stage.expiresAt && !this.stored.has(stage.identity)) {
          return problem(410, seen.step === "put" ? "token_expired" : "stage_expired");
        }
        const bytes = seen.step === "put" ? body : stage.bytes;
        if (!bytes) return problem(500, "object_missing");
        return this.#store(stage.fields, stage.identity, bytes, user!);
      }
      case "direct_put": {
        const stage = this.#stages.get(url.searchParams.get("token") ?? "");
        if (!stage) return json({ statusCode: "400", error: "InvalidSignature" }, 400);
        if (stage.bytes) return json({ statusCode: "409", error: "Duplicate" }, 400);
        stage.bytes = body;
        return json({ Key: "sediment/x" });
      }
      case "one_request": {
        const { fields, file } = await multipart(headers, body);
        if (!this.#mayWrite(fields, user!)) return problem(403, "dataset_forbidden");
        return this.#store(fields, seen.identity, file, user!);
      }
      default:
        if (url.pathname.includes("/compaction/status/")) {
          return json({ instanceId: url.pathname.split("/").at(-1), ...this.runStatus() });
        }
        return problem(404, "not_found");
    }
  }

  #store(
    fields: Record<string, unknown>,
    identity: string,
    bytes: Uint8Array,
    user: string,
  ): Response {
    if (bytes.length !== Number(fields.file_size)) return problem(422, "size_mismatch");
    if (sha256(bytes) !== fields.content_hash) return problem(422, "hash_mismatch");
    const known = this.stored.get(identity);
    if (known) {
      known.puts++;
      if (fields.key !== undefined) return problem(409, "already_stored");
      return json({ ...known.answer, duplicate: true });
    }
    const answer = {
      ok: true,
      key: `battle_data/${identity.slice(0, 40)}`,
      size: bytes.length,
      uploaded_at: new Date(this.#now()).toISOString(),
      metricId: crypto.randomUUID(),
      duplicate: false,
    };
    this.stored.set(identity, { answer, user, puts: 1 });
    return json(answer);
  }

  #mayWrite(fields: Record<string, unknown>, user: string): boolean {
    const dataset = String(fields.dataset_id ?? "assets");
    const owner = this.owners.get(dataset) ?? user;
    this.owners.set(dataset, owner);
    return owner === user || fields.key !== undefined;
  }

  #user(token: string): string | null {
    return this.#options.userOf ? this.#options.userOf(token) : "user";
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

const nobody = { step: "other" as const, identity: "", token: null, status: "?" };

/** What the service tells uploads apart by. */
export function identityOf(fields: Record<string, unknown>): string {
  if (fields.key !== undefined) return JSON.stringify(["asset", fields.key, fields.content_hash]);
  const { dataset_id, table, period_tag, content_hash, table_offsets } = fields;
  return JSON.stringify([
    dataset_id,
    table,
    period_tag ?? "0",
    content_hash,
    table_offsets ?? null,
  ]);
}

function json(value: unknown, status = 200): Response {
  return Response.json(value, { status });
}

function problem(status: number, code?: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status, code, detail: `as the test asked: ${code}` }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

async function multipart(headers: Headers, body: Uint8Array<ArrayBuffer>) {
  const request = new Request("http://x/", { method: "POST", headers, body });
  const form = await request.formData();
  const file = new Uint8Array(await (form.get("file") as File).arrayBuffer());
  return { fields: JSON.parse(form.get("metadata") as string), file };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function bytesOf(
  body: BodyInit | null | undefined,
  headers: Headers,
): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return body as Uint8Array<ArrayBuffer>;
  const response = new Response(body);
  if (body instanceof FormData) {
    headers.set("content-type", response.headers.get("content-type")!); // its boundary
  }
  return new Uint8Array(await response.arrayBuffer());
}
