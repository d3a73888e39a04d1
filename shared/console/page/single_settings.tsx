/** @jsxImportSource preact */
import { Empty, Panel } from "./parts.tsx";
import { valueText } from "./setting_text.ts";
import { Table } from "./table.tsx";

/** Settings of single tables and users, as far as they have any: those that were changed last. */
export interface OwnSettings {
  tables: { dataset_id: string; table: string; settings: Record<string, unknown> }[];
  users: { user_id: string; settings: Record<string, unknown> }[];
}

/** How many of each kind the service tells. */
const mostTold = 200;

/** What differs for single tables, which have their own pages, and for users. */
export function SingleSettings(
  { tables, users, choose }: OwnSettings & { choose: (user: string) => void },
) {
  const more = tables.length >= mostTold || users.length >= mostTold;
  return (
    <Panel
      title="Of single tables and users"
      says={more &&
        `the ${mostTold} of each that were changed last; all others have them on their pages`}
    >
      {tables.length + users.length === 0 ? <Empty>All go by the settings above.</Empty> : (
        <Table
          label="Settings of tables and users"
          rows={[
            ...tables.map(({ dataset_id, table, settings }) => ({
              key: `${dataset_id}/${table}`,
              of: (
                <a href={`#/datasets/${dataset_id}${table === "*" ? "" : `/${table}`}`}>
                  {dataset_id.slice(0, 8)}
                  {table === "*" ? ", other tables" : ` / ${table}`}
                </a>
              ),
              settings,
            })),
            ...users.map(({ user_id, settings }) => ({
              key: user_id,
              of: (
                <button type="button" class="link-button" onClick={() => choose(user_id)}>
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
    </Panel>
  );
}
