/** Values of settings as people read and write them. */
import { bytesText } from "./words.ts";

/** What a setting is: its column. */
export interface SettingColumn {
  name: string;
  says: string | null;
  unit: string | null;
  default: string | null;
  /** As PostgreSQL calls it. */
  type?: string;
  required?: boolean;
  check?: string | null;
}

/** A setting's value as people read it. */
export function valueText(value: unknown, unit: string | null = null): string {
  if (value === null || value === undefined) return "none";
  if (typeof value === "number" && unit?.startsWith("bytes") && value >= 1024) {
    return bytesText(value);
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? "none" : value.map((one) => valueText(one)).join(", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A value as it is edited. */
export function writtenText(value: unknown, type: string | undefined): string {
  if (value === null || value === undefined) return "";
  if (type === "jsonb") return JSON.stringify(value, null, 1);
  return Array.isArray(value) ? value.join("\n") : String(value);
}

/**
 * What somebody wrote, as the service takes it: a number that is none goes as the text that it is, and is refused there.
 *
 * @throws SyntaxError for what is no JSON and should be
 */
export function writtenValue(text: string, { type, required }: SettingColumn): unknown {
  const written = text.trim();
  if (type?.endsWith("[]")) {
    if (written === "" && !required) return null;
    return written.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  }
  if (written === "") return null;
  if (type === "jsonb") return JSON.parse(written);
  if (type === "boolean") return written === "true";
  return /^-?\d{1,15}(\.\d+)?$/.test(written) ? Number(written) : written;
}
