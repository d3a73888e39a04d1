/** Watches uploads for I14: they are let through for who may write to the dataset, and for nobody else. */
import { SedimentError } from "../../../shared/errors.ts";
import type { SimulatedDatabase } from "./database.ts";

/** Makes a call of the catalog and compares its answer with the user's role, before anything else can happen. */
export async function watchMembers(
  { sql }: SimulatedDatabase,
  violations: string[],
  method: string,
  args: { user?: unknown; stage?: unknown; dataset?: unknown },
  call: () => Promise<unknown>,
): Promise<unknown> {
  if (method !== "commitUpload" && method !== "stageUpload") return await call();
  const user = String(args.user);
  let refusal: SedimentError | undefined;
  let answer: unknown;
  try {
    answer = await call();
  } catch (thrown) {
    if (!(thrown instanceof SedimentError)) throw thrown;
    refusal = thrown;
  }
  if (refusal === undefined || refusal.code === "dataset_forbidden") {
    const [row] = await sql`
      select sediment.dataset_role(${user}, x.id) as role from (
        select ${String(args.dataset ?? "")}::text as id where ${method} = 'stageUpload'
        union all
        select o.dataset_id::text from public.objects o
        where ${method} = 'commitUpload' and o.stage_id::text = ${
      String(args.stage ?? "")
    } and o.kind = 'fragment'
      ) y cross join lateral (select y.id::uuid as id) x`;
    const may = row?.role === "owner" || row?.role === "writer";
    if (may !== (refusal === undefined)) {
      violations.push(
        `I14: ${method} of ${user}, ${row?.role ?? "a stranger"}, was ${
          refusal === undefined ? "let through" : "refused"
        }`,
      );
    }
  }
  if (refusal !== undefined) throw refusal;
  return answer;
}
