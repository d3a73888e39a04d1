/** @jsxImportSource preact */
import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { tell } from "./told.tsx";
import { tellChange } from "./live.ts";
import { call, Refusal } from "./session.ts";
import { type SettingColumn, valueText, writtenText, writtenValue } from "./setting_text.ts";

/** Whose settings they are: the deployment's ({}), a table's, a user's. */
export type SettingTarget = { dataset_id?: string; table?: string; user_id?: string };

/** One setting: its value and what it means, and the field that changes it. What is refused is said there. */
export function SettingField(
  { column, value, of }: { column: SettingColumn; value: unknown; of: SettingTarget },
) {
  const { name, says, default: usual } = column;
  // "none" alone, or with the values that there are
  const unit = (column.unit ?? "").replace(/^none(; )?/, "");
  const [open, setOpen] = useState(false);
  return (
    <div>
      <dt>
        <code>{name}</code>
      </dt>
      <dd>
        <div class="setting-value">
          <strong>{valueText(value, unit)}</strong>
          {!open && (
            <button
              type="button"
              class="link-button"
              aria-label={`Change ${name}`}
              onClick={() => setOpen(true)}
            >
              Change
            </button>
          )}
        </div>
        {open && <Editor column={column} value={value} of={of} close={() => setOpen(false)} />}
        <p>{says}</p>
        <p class="quiet">
          {unit !== "" && `${unit}; `}by default{" "}
          {usual === null || usual === "null" ? "none" : usual}
        </p>
      </dd>
    </div>
  );
}

function Editor(
  { column, value, of, close }: {
    column: SettingColumn;
    value: unknown;
    of: SettingTarget;
    close: () => void;
  },
) {
  const { name, type, check } = column;
  // addresses and keys of webhooks are not told: what is there is written anew as a whole
  const secret = name === "alert_webhooks";
  const [text, setText] = useState(secret ? "" : writtenText(value, type));
  const [refusal, setRefusal] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const save = async (change: object) => {
    setBusy(true);
    setRefusal(null);
    try {
      await call("PATCH", "/compaction/settings", { ...of, ...change });
      tell(`${name} is changed`);
      tellChange();
      close();
    } catch (thrown) {
      setRefusal(refusalText(thrown));
      field.current?.focus();
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: JSX.TargetedEvent<HTMLFormElement>) => {
    event.preventDefault();
    try {
      void save({ changes: { [name]: writtenValue(text, column) } });
    } catch (thrown) {
      setRefusal(`It is no JSON: ${(thrown as Error).message}`);
    }
  };
  const id = `setting-${name}`;
  const common = {
    // deno-lint-ignore no-explicit-any -- one of three kinds of field
    ref: field as any,
    id,
    value: text,
    "aria-label": name,
    "aria-invalid": refusal !== null,
    "aria-describedby": `${id}-says`,
    onInput: (event: JSX.TargetedEvent<HTMLInputElement>) => setText(event.currentTarget.value),
  };
  return (
    <form
      class="setting-editor"
      onSubmit={submit}
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      {type === "boolean"
        ? (
          <select {...common as object}>
            {!column.required && <option value="">none</option>}
            <option value="true">true</option>
            <option value="false">false</option>
          </select>
        )
        : type === "jsonb" || type?.endsWith("[]")
        ? <textarea {...common as object} rows={4} spellcheck={false} />
        : <input {...common} autocomplete="off" spellcheck={false} />}
      <p
        id={`${id}-says`}
        class={refusal !== null ? "why" : "quiet"}
        role={refusal !== null ? "alert" : undefined}
      >
        {refusal ?? hint(column, check, secret)}
      </p>
      <div class="tools">
        <button type="submit" class="main-button" disabled={busy}>Save</button>
        <button
          type="button"
          class="quiet-button"
          disabled={busy}
          onClick={() => save({ reset: [name] })}
        >
          Default
        </button>
        <button type="button" class="quiet-button" onClick={close}>Cancel</button>
      </div>
    </form>
  );
}

function hint({ type }: SettingColumn, check: string | null | undefined, secret: boolean): string {
  if (secret) return "All of them, with their addresses: these are not shown.";
  const lines = type?.endsWith("[]") ? "one a line" : type ?? "";
  return check ? `${lines}; ${check}` : lines;
}

function refusalText(thrown: unknown): string {
  if (!(thrown instanceof Refusal)) return String((thrown as Error).message);
  return thrown.expected ? `${thrown.message}; expected: ${thrown.expected}` : thrown.message;
}
