/** A user of `bench tenants`, and what users do. */
import { parquetWriteBuffer } from "hyparquet-writer";

/** Somebody who is signed in. */
export interface User {
  /** Of the functions. */
  url: string;
  headers: Record<string, string>;
  dataset: string;
}

/** A file of numbers, a column a name. */
export function parquet(values: number[], names = ["n"]): Uint8Array<ArrayBuffer> {
  const columnData = names.map((name) => ({ name, data: values, type: "INT32" as const }));
  return new Uint8Array(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED" }));
}

/** @returns the status */
export async function call(
  method: string,
  path: string,
  user: User,
  body?: BodyInit,
): Promise<number> {
  const headers = { ...user.headers };
  if (typeof body === "string") headers["content-type"] = "application/json";
  const response = await fetch(`${user.url}${path}`, { method, headers, body });
  await response.body?.cancel();
  return response.status;
}

/** In one request. @returns the status */
export function upload(
  user: User,
  file: Uint8Array<ArrayBuffer>,
  some: object = {},
): Promise<number> {
  const form = new FormData();
  const metadata = { dataset_id: user.dataset, table: "t", period_tag: "p", ...some };
  form.set("metadata", JSON.stringify(metadata));
  form.set("file", new Blob([file]), "f");
  return call("POST", "/battle-data/upload", user, form);
}
