/** `sediment-client/settings`: settings from TOML and the environment, checked. */
export {
  loadSettings,
  type SettingsSources,
} from "../../shared/uploader/settings/load_settings.ts";
