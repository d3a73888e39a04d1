/** Why. `code` is of shared/errors.ts where the service answered, or one of the uploader's own. */
export interface Reason {
  code: string;
  status?: number;
  message: string;
}
