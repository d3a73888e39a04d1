/** @jsxImportSource preact */
import { Ago, Empty, Panel } from "./parts.tsx";
import { valueText } from "./setting_text.ts";
import { Table } from "./table.tsx";

/** A change of a setting. */
export interface Change {
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

/** Who changed what. */
export function SettingChanges({ history }: { history: Change[] }) {
  return (
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
                  {c.user_id !== null && <span class="quiet">user {c.user_id.slice(0, 8)}</span>}
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
  );
}
