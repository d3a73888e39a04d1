/** What commands work with: the project, the settings, the uploader. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { SedimentError } from "../../errors.ts";
import { tellOfPairs } from "../pending/adopt_pairs.ts";
import { diskMedium } from "../pending/media/disk_medium.ts";
import { keySession } from "../../reader/service/key_session.ts";
import { credentialOf, type Session, tokenSession } from "../session/session.ts";
import { loadSettings } from "../settings/load_settings.ts";
import { jsonLog, type Log, type LogEvent } from "../log.ts";
import type { UploaderSettings, UploaderSettingsInput } from "../settings/settings.ts";
import { createUploader, type Uploader } from "../uploader.ts";
import { adoptInto } from "./adopt_folders.ts";
import type { Input } from "./options.ts";
import {
  type Account,
  folderOf,
  makeFolder,
  oldFolder,
  type PendingFolder,
} from "./pending_folders.ts";
import { plainWarnings } from "./plain_warnings.ts";
import { readSession, sessionFor } from "./session_file.ts";

/** Where the project is. */
export interface Project {
  url: string;
  /** The publishable key; none where a read-only key stands for all. */
  key?: string;
  /** Of who asks there. */
  session: Session;
}

const isReadOnlyKey = (key: string) => key.startsWith("sdk_");

/** Whoever holds a key of a dataset, as its reader. */
function readOnlySession(url: string, secret: string): Session {
  const keys = keySession({ url, secret });
  const token = async () => (await keys.credential()).token;
  return {
    ...tokenSession(token),
    // a clock that is off, or a signing key that was rotated: one that was revoked says so itself
    renewed: async () => {
      keys.forget();
      return credentialOf(await token());
    },
  };
}

/** @throws `invalid_config` that says how to name a project */
export async function openProject(input: Input): Promise<Project> {
  const session = await readSession();
  const url = input.text("url") ?? process.env.SEDIMENT_URL ?? session?.url;
  const service = input.text("for") === undefined ? undefined : process.env.SEDIMENT_SERVICE_KEY;
  const key = input.text("key") ?? process.env.SEDIMENT_KEY ?? session?.key ?? service;
  if (url === undefined || !URL.canParse(url)) {
    throw new SedimentError("invalid_config", `the project's URL is ${url ?? "not known"}`, {
      field: "url",
      expected: "--url https://PROJECT.supabase.co, SEDIMENT_URL, or a `sediment login` before",
    });
  }
  if (!key) {
    throw new SedimentError("invalid_config", "the project's publishable key is not known", {
      field: "key",
      expected: "--key sb_publishable_…, SEDIMENT_KEY, or a `sediment login` before",
    });
  }
  const origin = url.replace(/\/+$/, "");
  if (isReadOnlyKey(key)) return { url: origin, session: readOnlySession(origin, key) };
  return { url: origin, key, session: sessionFor(input.text("for"), origin) };
}

/** The settings: defaults, then the TOML file, the environment, the command line. */
export async function openSettings(
  input: Input,
  code: UploaderSettingsInput = {},
): Promise<UploaderSettings> {
  const named = input.text("config") ?? process.env.SEDIMENT_CONFIG;
  const tomlName = named ?? "sediment.toml";
  const toml = await readFile(tomlName, "utf8").catch((error) => {
    if (named === undefined) return "";
    throw new SedimentError("invalid_config", `${tomlName}: ${error.message}`, {
      field: "config",
      expected: "a TOML file that can be read",
    });
  });
  const directory = input.text("pending");
  const env: Record<string, string | undefined> = { ...process.env };
  return loadSettings({
    toml,
    tomlName,
    env,
    code: { ...code, pending: { ...code.pending, ...(directory ? { directory } : {}) } },
  });
}

/** Whose pending uploads a command is about: as far as is known without a network. */
async function openAccount(input: Input): Promise<Account | null> {
  const session = await readSession();
  const url = input.text("url") ?? process.env.SEDIMENT_URL ?? session?.url;
  if (url === undefined || !URL.canParse(url)) return null;
  const user_id = await sessionFor(input.text("for"), url).userId!() ?? null;
  const isSessions = user_id !== null && session !== null && !process.env.SEDIMENT_TOKEN &&
    input.text("for") === undefined;
  return { url: url.replace(/\/+$/, ""), user_id, email: isSessions ? session.email : null };
}

/**
 * The folder of pending uploads: the one that was named, else the account's own.
 *
 * @returns its path; `account` null: it was named, or no account is known (then `path` is null)
 */
export async function openPendingFolder(
  input: Input,
): Promise<{ path: string | null; account: PendingFolder | null }> {
  const { pending: { directory } } = await openSettings(input);
  if (directory !== undefined) return { path: directory, account: null };
  const account = await openAccount(input);
  const folder = account && folderOf(account);
  return { path: folder?.path ?? null, account: folder };
}

/** The uploader on a pending folder, to look and to drop: it sends nowhere. */
export async function openOffline(input: Input, path: string): Promise<Uploader> {
  const settings = await openSettings(input);
  return await createUploader({
    url: "http://nowhere.invalid/functions/v1",
    medium: await diskMedium(path),
    session: tokenSession(() => null),
    settings,
    log: logOf(input),
  });
}

/** The uploader on the account's pending folder, which has taken over what waits for the account elsewhere. */
export async function openUploader(
  input: Input,
  options: {
    code?: UploaderSettingsInput;
    /** Where a person is told what they must know, beside --verbose. */
    say?: (line: string) => void;
    onEvent?: (event: LogEvent) => void;
  } = {},
): Promise<Uploader> {
  const settings = await openSettings(input, options.code);
  const project = await openProject(input);
  if (project.key === undefined) {
    throw new SedimentError("invalid_config", "a read-only key uploads nothing", {
      field: "key",
      expected: "the project's publishable key, and a `sediment login` before",
    });
  }
  const say = options.say ?? ((line) => process.stderr.write(`${line}\n`));
  const { path, account } = await openPendingFolder(input);
  if (account) {
    await makeFolder(account).catch((error) => {
      throw new SedimentError("pending_unusable", `${account.path}: ${error.message}`, {
        field: "pending",
        expected: "a folder that this user may write: --pending DIR, or SEDIMENT_DATA",
        cause: error,
      });
    });
    await adoptInto(account, say);
  }
  const uploader = await createUploader({
    url: `${project.url}/functions/v1`,
    publishableKey: project.key,
    medium: await diskMedium(path!),
    session: sessionOf(account?.user_id ?? null, project.session),
    settings,
    // Loaded when a body is that large: it is a fifth of the start-up time.
    resumable: async (...send) => (await import("../send/send_tus.ts")).sendResumably(...send),
    log: logOf(input, say, options.onEvent),
  });
  // what the existing desktop client left where an older version of this one kept its own
  await tellOfPairs(uploader, {
    folder: account === null ? path! : oldFolder,
    origin: new URL(project.url).origin,
    userId: await project.session.userId?.() ?? null,
    named: account === null,
  }, say);
  return uploader;
}

/** The session of the user whose folder it is: who signs in meanwhile, in another terminal, sends their own. */
function sessionOf(user: string | null, session: Session): Session {
  if (user === null) return session;
  return {
    userId: () => user,
    async credential() {
      const credential = await session.credential();
      return credential?.userId === user ? credential : null;
    },
    renewed: async (refused) => await session.renewed?.(refused) ?? null,
  };
}

function logOf(
  input: Input,
  say: (line: string) => void = (line) => process.stderr.write(`${line}\n`),
  onEvent: (event: LogEvent) => void = () => {},
): Log {
  const verbose = jsonLog((line) => process.stderr.write(`${line}\n`));
  const warn = plainWarnings(say);
  return (event) => {
    onEvent(event);
    if (input.is("verbose")) verbose(event);
    else warn(event);
  };
}
