/** Where the platform keeps what a program writes down for its user. */
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** The data folder: SEDIMENT_DATA, else the platform's own place for it. */
export function dataFolder(): string {
  const { SEDIMENT_DATA, APPDATA, XDG_DATA_HOME } = process.env;
  if (SEDIMENT_DATA) return SEDIMENT_DATA;
  // The roaming one: what a user has not sent follows the user.
  if (process.platform === "win32") {
    return join(APPDATA || join(homedir(), "AppData", "Roaming"), "sediment");
  }
  if (process.platform === "darwin") {
    return join(homedir(), "Library", "Application Support", "sediment");
  }
  // XDG Base Directory Specification 0.8: relative paths are invalid and to be ignored.
  const data = XDG_DATA_HOME?.startsWith("/") ? XDG_DATA_HOME : join(homedir(), ".local", "share");
  return join(data, "sediment");
}
