/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { Empty, Panel } from "./parts.tsx";
import { SettingField } from "./setting_field.tsx";
import { type SettingColumn, valueText } from "./setting_text.ts";
import { Table } from "./table.tsx";

/** Settings of single tables and users, as far as they have any. */
export interface OwnSettings {
  tables: { dataset_id: string; table: string; settings: Record<string, unknown> }[];
  users: { user_id: string; settings: Record<string, unknown> }[];
}

/** What differs for single tables, which have their own pages, and for users, whose limits are set here. */
export function SingleSettings(
  { tables, users, columns }: OwnSettings & { columns: SettingColumn[] },
) {
  const [user, setUser] = useState("");
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(user);
  const own = users.find(({ user_id }) => user_id === user)?.settings;
  return (
    <Panel title="Of single tables and users">
      {tables.length + users.length === 0 ? <Empty>All go by the settings above.</Empty> : (
        <Table
          label="Settings of tables and users"
          rows={[
            ...tables.map(({ dataset_id, table, settings }) => ({
              key: `${dataset_id}/${table}`,
              of: table === "*"
                ? `${dataset_id.slice(0, 8)}, other tables`
                : (
                  <a href={`#/datasets/${dataset_id}/${table}`}>
                    {dataset_id.slice(0, 8)} / {table}
                  </a>
                ),
              settings,
            })),
            ...users.map(({ user_id, settings }) => ({
              key: user_id,
              of: (
                <button type="button" class="link-button" onClick={() => setUser(user_id)}>
                  user {user_id.slice(0, 8)}
                </button>
              ),
              settings,
            })),
          ]}
          keyOf={({ key }) => key}
          columns={[
            { head: "Of", cell: ({ of }) => of },
            {
              head: "Settings",
              cell: ({ settings }) =>
                Object.entries(settings).map(([name, value]) => `${name} = ${valueText(value)}`)
                  .join("; "),
            },
          ]}
        />
      )}
      <label class="user-of-limits">
        Limits of a user
        <input
          value={user}
          placeholder="The user's id"
          spellcheck={false}
          onInput={(event) => setUser(event.currentTarget.value.trim().toLowerCase())}
        />
      </label>
      {isId && (
        <dl class="settings">
          {columns.map((column) => (
            <SettingField
              key={user + column.name}
              column={column}
              value={own?.[column.name] ?? null}
              of={{ user_id: user }}
            />
          ))}
        </dl>
      )}
    </Panel>
  );
}
