import { strict as assert } from "node:assert";
import { startCluster } from "../cluster.ts";
import { openMeeting, type Outcome } from "./meeting.ts";

/** What two that meet must come to, and no more than the refusals of the protocol. */
Deno.test("uploads that meet are answered as if one had come after the other", async (t) => {
  await using cluster = await startCluster(17);
  const database = await cluster.newDatabase();
  await using meeting = await openMeeting(database.url);

  await t.step("a commit that waits for another of its stage has that one's answer", async () => {
    for (
      const second of ["select tests.commit_of('one')", "select tests.group_of('one', 'alone')"]
    ) {
      await meeting.reset();
      const outcomes = await meeting.whileOpen("select tests.commit_of('one')", second, "commit");
      const [one, two] = outcomes.map(answerOf);
      const again = two.commits ? (two.commits as Outcome[])[0] : two;
      assert.deepEqual(
        again,
        two.commits ? { answer: { ...one, duplicate: true } } : { ...one, duplicate: true },
      );
      assert.deepEqual(await meeting.violations(), []);
    }
  });

  await t.step(
    "groups with calls of the same users in opposite orders wait, but not for each other",
    async () => {
      // long enough for a deadlock to be found
      await meeting.sql`alter function group_upload_calls set lock_timeout = '100s'`;
      await meeting.sql.unsafe(usersSql).simple();
      for (const [calls, barrier] of Object.entries(userBarriers)) {
        await meeting.reset();
        await meeting.sql`select tests.limited_users()`;
        const outcomes = await meeting.behind(
          barrier,
          `select tests.group_of_users('${calls}', 'one', array[11, 12])`,
          `select tests.group_of_users('${calls}', 'two', array[12, 11])`,
        );
        for (const answer of outcomes.map(answerOf)) {
          assert.deepEqual(answer[calls].filter((call: object) => !("answer" in call)), [], calls);
        }
        assert.deepEqual(await meeting.violations(), []);
      }
    },
  );
});

/** What the calls of a user with limits wait for. */
const userBarriers = {
  stages: "select 1 from user_usage where user_id = tests.u(11) for update",
  commits: "select sediment.lock_quota(tests.u(11))",
};

const usersSql = `
  create function tests.limited_users() returns void language plpgsql as $$
  begin
    insert into public.user_limits (user_id, uploads_per_minute, stored_bytes_max)
    values (tests.u(11), 1000, 100000), (tests.u(12), 1000, 100000) on conflict do nothing;
    insert into tests.handles
    select b || u, tests.stage(u, 100 + u, b || u) from unnest(array['one', 'two']) b, unnest(array[11, 12]) u
    on conflict (name) do update set value = excluded.value;
  end $$;
  create function tests.group_of_users(p_calls text, p_body text, p_users int[]) returns jsonb language sql as $$
    select case p_calls
      when 'stages' then public.group_upload_calls((
        select jsonb_agg(jsonb_build_object('p_user', tests.u(u), 'p_dataset', tests.u(100 + u), 'p_table', 'a',
          'p_period_tag', '0', 'p_size', 100, 'p_content_hash', tests.hash(p_body || u), 'p_offsets_digest', '') order by n)
        from unnest(p_users) with ordinality as x(u, n)), '[]')
      else public.group_upload_calls('[]', (
        select jsonb_agg(jsonb_build_object('p_stage', tests.handle(p_body || u) -> 'stage_id', 'p_user', tests.u(u),
          'p_size', 100, 'p_etag', 'e', 'p_content_hash', tests.hash(p_body || u),
          'p_files', jsonb_build_array(tests.file('port', '2024-11-25', 5))) order by n)
        from unnest(p_users) with ordinality as x(u, n)))
    end
  $$;`;

// deno-lint-ignore no-explicit-any
function answerOf(outcome: Outcome): any {
  assert.ok("answer" in outcome, JSON.stringify(outcome));
  const { answer } = outcome;
  return typeof answer === "string" ? JSON.parse(answer) : answer;
}
