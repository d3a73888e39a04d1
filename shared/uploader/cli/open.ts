/** What commands work with: the project, the settings, the uploader. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { SedimentError } from "../../errors.ts";
import { diskMedium } from "../pending/media/disk_medium.ts";
import { loadSettings } from "../settings/load_settings.ts";
import { jsonLog, type LogEvent } from "../log.ts";
import type { UploaderSettings, UploaderSettingsInput } from "../settings/settings.ts";
import { createUploader, type Uploader } from "../uploader.ts";
import type { Input } from "./options.ts";
import { plainWarnings } from "./plain_warnings.ts";
import { fileSession, readSession } from "./session_file.ts";

/** Where the project is. */
export interface Project {
  url: string;
  key: string;
}

/** @throws `invalid_config` that says how to name a project */
export async function openProject(input: Input): Promise<Project> {
  const session = await readSession();
  const url = input.text("url") ?? process.env.SEDIMENT_URL ?? session?.url;
  const key = input.text("key") ?? process.env.SEDIMENT_KEY ?? session?.key;
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
  return { url: url.replace(/\/+$/, ""), key };
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

/** The uploader on the pending folder. Without a project it can look and drop, but send nowhere. */
export async function openUploader(
  input: Input,
  options: {
    code?: UploaderSettingsInput;
    offline?: boolean;
    /** Where a person is told what they must know, beside --verbose. */
    say?: (line: string) => void;
    onEvent?: (event: LogEvent) => void;
  } = {},
): Promise<Uploader> {
  const settings = await openSettings(input, options.code);
  const project = options.offline
    ? { url: "http://nowhere.invalid", key: "" }
    : await openProject(input);
  const verbose = jsonLog((line) => process.stderr.write(`${line}\n`));
  const warn = plainWarnings(options.say ?? ((line) => process.stderr.write(`${line}\n`)));
  return await createUploader({
    url: `${project.url}/functions/v1`,
    publishableKey: project.key,
    medium: await diskMedium(settings.pending.directory),
    session: fileSession(project.url),
    settings,
    // Loaded when a body is that large: it is a fifth of the start-up time.
    resumable: async (...send) => (await import("../send/send_tus.ts")).sendResumably(...send),
    log: (event) => {
      options.onEvent?.(event);
      if (input.is("verbose")) verbose(event);
      else warn(event);
    },
  });
}
