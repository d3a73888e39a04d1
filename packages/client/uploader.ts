/** `sediment-client/uploader`: the uploader, the same everywhere. What it keeps things in is a medium, apart. */
export {
  createUploader,
  type Uploader,
  type UploaderOptions,
} from "../../shared/uploader/uploader.ts";
export {
  type Credential,
  type Session,
  type SessionEvent,
  supabaseSession,
  tokenSession,
} from "../../shared/uploader/session/session.ts";
export { SedimentError } from "../../shared/errors.ts";
export { jsonLog, type Log, type LogEvent } from "../../shared/uploader/log.ts";
export { version } from "../../shared/uploader/version.ts";
export type { ByteSource, PendingMedium } from "../../shared/uploader/pending/pending_medium.ts";
export type { PendingItem } from "../../shared/uploader/pending/pending_record.ts";
export type { BatchReport } from "../../shared/uploader/retry/batch_report.ts";
export type { UploaderSettingsInput } from "../../shared/uploader/settings/settings.ts";
export type { UploadOptions, UploadOutcome, UploadProgress } from "../../shared/uploader/upload.ts";
export type { UploadMetaInput } from "../../shared/uploader/upload_meta.ts";
