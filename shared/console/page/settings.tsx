/** @jsxImportSource preact */
import { useState } from "preact/hooks";
import { useLive } from "./live.ts";
import { Ago, Empty, Panel, Shown, Table } from "./parts.tsx";
import { bytesText, several } from "./words.ts";

interface Setting {
  name: string;
  value: unknown;
  says: string | null;
  unit: string | null;
  default: string | null;
}

interface Change {
  changed_at: string;
  settings: string;
  dataset_id: string | null;
  table: string | null;
  user_id: string | null;
  column_name: string;
  old_value: unknown;
  new_value: unknown;
  role: string;
  subject: string | null;
}

interface Answer {
  settings: Setting[];
  tables: { dataset_id: string; table: string; settings: Record<string, unknown> }[];
  users: { user_id: string; settings: Record<string, unknown> }[];
  warnings: {
    settings: string;
    dataset_id: string | null;
    table: string | null;
    column_name: string;
    warning: string;
  }[];
  history: Change[];
}

/** A setting's value as people read it. */
function valueText(value: unknown, unit: string | null = null): string {
  if (value === null) return "none";
  if (typeof value === "number" && unit?.startsWith("bytes") && value >= 1024) {
    return bytesText(value);
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? "none" : value.map((one) => valueText(one)).join(", ");
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What the deployment goes by. */
export function Settings() {
  const live = useLive<Answer>("/compaction/settings", 30);
  const [sought, setSought] = useState("");
  return (
    <>
      <h1>Settings</h1>
      <Shown live={live}>
        {({ settings, tables, users, warnings, history }) => {
          const found = settings.filter(({ name, says }) =>
            `${name} ${says}`.toLowerCase().includes(sought.toLowerCase())
          );
          return (
            <>
              {warnings.length > 0 && (
                <Panel title={several(warnings.length, "setting", "settings") + " hardly meant"}>
                  <ul class="troubles">
                    {warnings.map((w) => (
                      <li class="wait">
                        <div>
                          <strong>{w.column_name}</strong>
                          <p>
                            {w.table !== null && `${w.dataset_id?.slice(0, 8)} / ${w.table}: `}
                            {w.warning}
                          </p>
                        </div>
                      </li>
                    ))}
                  </ul>
                </Panel>
              )}
              <Panel
                title="Of the deployment"
                says={
                  <>
                    Changed in the SQL editor:{" "}
                    <code>update service_settings set max_workers = 8;</code>
                  </>
                }
                tools={
                  <input
                    type="search"
                    id="seek"
                    aria-label="Filter settings"
                    placeholder="Name or meaning"
                    value={sought}
                    onInput={(event) => setSought(event.currentTarget.value)}
                  />
                }
              >
                {found.length === 0
                  ? <Empty>No setting is about that.</Empty>
                  : (
                    <dl class="settings">
                      {found.map(({ name, value, says, unit, default: usual }) => (
                        <div key={name}>
                          <dt>
                            <code>{name}</code>
                          </dt>
                          <dd>
                            <strong>{valueText(value, unit)}</strong>
                            <p>{says}</p>
                            <p class="quiet">
                              {unit !== null && unit !== "none" && `${unit}; `}by default{" "}
                              {usual ?? "none"}
                            </p>
                          </dd>
                        </div>
                      ))}
                    </dl>
                  )}
              </Panel>
              <Panel title="Of single tables and users">
                {tables.length + users.length === 0
                  ? <Empty>All go by the settings above.</Empty>
                  : (
                    <Table
                      label="Settings of tables and users"
                      rows={[
                        ...tables.map((t) => ({
                          of: `${t.dataset_id.slice(0, 8)} / ${t.table}`,
                          set: t.settings,
                        })),
                        ...users.map((u) => ({
                          of: `user ${u.user_id.slice(0, 8)}`,
                          set: u.settings,
                        })),
                      ]}
                      keyOf={({ of }) => of}
                      columns={[
                        { head: "Of", cell: ({ of }) => of },
                        {
                          head: "Settings",
                          cell: ({ set }) =>
                            Object.entries(set).map(([name, value]) =>
                              `${name} = ${valueText(value)}`
                            ).join("; "),
                        },
                      ]}
                    />
                  )}
              </Panel>
              <Panel title="Changes" says="the last 100">
                {history.length === 0 ? <Empty>Nobody has changed anything.</Empty> : (
                  <Table
                    label="Changes"
                    rows={history}
                    keyOf={(c) => `${c.changed_at}${c.column_name}${c.table}`}
                    columns={[
                      { head: "When", cell: (c) => <Ago time={c.changed_at} /> },
                      {
                        head: "Setting",
                        cell: (c) => (
                          <>
                            <code>{c.column_name}</code>{" "}
                            {c.table !== null && (
                              <span class="quiet">{c.dataset_id?.slice(0, 8)} / {c.table}</span>
                            )}
                            {c.user_id !== null && (
                              <span class="quiet">user {c.user_id.slice(0, 8)}</span>
                            )}
                          </>
                        ),
                      },
                      { head: "Was", cell: (c) => valueText(c.old_value) },
                      { head: "Is", cell: (c) => valueText(c.new_value) },
                      { head: "By", cell: (c) => c.subject ?? c.role },
                    ]}
                  />
                )}
              </Panel>
            </>
          );
        }}
      </Shown>
    </>
  );
}
