/** @jsxImportSource preact */
import { useLive } from "./live.ts";
import { Panel, Shown } from "./parts.tsx";
import { SettingField } from "./setting_field.tsx";
import type { SettingColumn } from "./setting_text.ts";

interface Answer {
  table_columns?: SettingColumn[];
  tables: { dataset_id: string; table: string; settings: Record<string, unknown> }[];
}

/** What a table, or a dataset's other tables (`*`), go by beside the deployment's settings. */
export function TableSettings({ id, table }: { id: string; table: string }) {
  const live = useLive<Answer>(
    `/compaction/settings?dataset_id=${id}&table=${encodeURIComponent(table)}`,
    30,
  );
  return (
    <Shown live={live}>
      {({ table_columns = [], tables }) => {
        const own = tables.find((one) => one.dataset_id === id && one.table === table);
        return (
          <Panel
            title="Settings"
            says={table === "*"
              ? "of those tables that have none of their own; none: those of the deployment"
              : "of this table; none: those of the dataset or the deployment"}
          >
            <dl class="settings">
              {table_columns.map((column) => (
                <SettingField
                  key={column.name}
                  column={column}
                  value={own?.settings[column.name] ?? null}
                  of={{ dataset_id: id, table }}
                />
              ))}
            </dl>
          </Panel>
        );
      }}
    </Shown>
  );
}
