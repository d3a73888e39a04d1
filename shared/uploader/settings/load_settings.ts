/**
 * Settings from their places, later ones winning: defaults, the TOML file's `[app.asset_sync.*]`, the
 * environment (`SEDIMENT_RETRY_MAX_ATTEMPTS`), code.
 */
import { parse, TomlError } from "smol-toml";
import { SedimentError } from "../../errors.ts";
import { checkSettings } from "./check_settings.ts";
import type { UploaderSettings, UploaderSettingsInput } from "./settings.ts";

/** Where settings come from. */
export interface SettingsSources {
  /** Text of the TOML file. */
  toml?: string;
  /** Its name, for errors. */
  tomlName?: string;
  env?: Record<string, string | undefined>;
  code?: UploaderSettingsInput;
}

const sections = ["retry", "pending", "upload"] as const;
/** A folder may be called 2024. */
const textKeys = new Set(["pending.directory", "pending.when_full", "upload.protocol"]);
/** What is on or off; 1 is no number there. */
const flags = new Set(["upload.own_dataset"]);
type Values = Record<string, Record<string, unknown>>;

/**
 * The settings in force.
 *
 * @throws `invalid_config` that names the key, its value, where it was set and what was expected
 */
export function loadSettings(sources: SettingsSources): UploaderSettings {
  const merged: Values = {};
  const origin = new Map<string, string>();
  const take = (from: Values, name: (section: string, key: string) => string) => {
    for (const section of sections) {
      for (const [key, value] of Object.entries(from[section] ?? {})) {
        if (value === undefined) continue;
        (merged[section] ??= {})[key] = value;
        origin.set(`${section}.${key}`, name(section, key));
      }
    }
  };
  const file = sources.tomlName ?? "the TOML file";
  take(fromToml(sources.toml ?? "", file), (s, key) => `app.asset_sync.${s}.${key} in ${file}`);
  take(fromEnv(sources.env ?? {}), envName);
  take((sources.code ?? {}) as Values, (section, key) => `${section}.${key}`);
  return checkSettings(merged, (path) => origin.get(path) ?? path);
}

/** What an environment variable of a setting is called. */
export function envName(section: string, key: string): string {
  return `SEDIMENT_${section}_${key}`.toUpperCase();
}

function fromToml(text: string, file: string): Values {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? ` line ${error.line}, column ${error.column}` : "";
    const what = (error as Error).message.split("\n")[0];
    throw new SedimentError("invalid_config", `${file}${where}: ${what}`, { expected: "TOML 1.0" });
  }
  const app = document.app as Record<string, unknown> | undefined;
  const found = (app?.asset_sync ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries(found)) {
    // Plain keys of [app.asset_sync] are the app's own; a table that we don't know is a slip.
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      if (!sections.includes(name as "retry")) continue;
    } else if (sections.includes(name as "retry")) continue;
    throw new SedimentError(
      "invalid_config",
      `app.asset_sync.${name} in ${file} is not a setting`,
      {
        field: `app.asset_sync.${name}`,
        expected: `the tables ${sections.join(", ")}`,
      },
    );
  }
  return found as Values;
}

function fromEnv(env: Record<string, string | undefined>): Values {
  const values: Values = {};
  for (const [name, text] of Object.entries(env)) {
    const match = /^SEDIMENT_(RETRY|PENDING|UPLOAD)_([A-Z_]+)$/.exec(name);
    if (!match || text === undefined || text === "") continue;
    const section = match[1].toLowerCase(), key = match[2].toLowerCase();
    const path = `${section}.${key}`;
    if (flags.has(path) && /^(true|false|1|0)$/i.test(text.trim())) {
      (values[section] ??= {})[key] = /^(true|1)$/i.test(text.trim());
      continue;
    }
    const numeric = /^-?\d+(\.\d+)?$/.test(text.trim()) && !textKeys.has(path);
    (values[section] ??= {})[key] = numeric ? Number(text) : text;
  }
  return values;
}
