-- What the planner goes by travels with each data file: from the upload and from a compaction's output to the claim.
begin;
\ir helpers/fixtures.sql
select plan(9);

create function tests.upload_with(p_body text, p_facts jsonb) returns jsonb language plpgsql as $$
declare v_stage jsonb := tests.stage(1, 100, p_body);
begin
  return tests.commit_stage(v_stage, 1, p_body,
    jsonb_build_array(tests.file('port', '2024-11-25', 10) || p_facts));
end $$;

grant execute on function tests.upload_with to service_role;
set local role service_role;

select tests.upload_with('a', '{"value_count": 250, "merge_facts": {"sums": []}}');
select tests.upload_with('b', '{"value_count": 30, "merge_facts": null}');
select tests.upload_with('c', '{}');
create temp table c as select tests.claim() as c;
select is((select jsonb_agg(f -> 'value_count') from c, jsonb_array_elements(c -> 'files') f), '[250, 30, null]',
  'a claim tells how many values each file has, null where nobody counted them');
select is((select jsonb_agg(f -> 'merge_facts') from c, jsonb_array_elements(c -> 'files') f), '[{"sums": []}, null, null]',
  'and what its footer says of its chunks, where there is something to tell');
select is((select merge_facts from battle_files where value_count = 30), null, 'a null of the JSON is none of the table');

select is((select f -> 'value_count' from c, jsonb_array_elements(
  list_fragments((c ->> 'run_id')::uuid, (c ->> 'token')::bigint, '1') -> 'files') f limit 1), '30', 'further pages tell it too');

create temp table o as select tests.output(c) || '{"value_count": 300, "merge_facts": {"page": 7}}' as o from c;
select tests.commit(c, o) from c, o;
select is((select (value_count, merge_facts) from battle_files where level = 1), row(300::bigint, '{"page": 7}'::jsonb),
  'an output has its own');
select tests.upload_with('d', '{}');
select is((tests.claim() -> 'files' -> 0 -> 'merge_facts'), '{"page": 7}', 'which the next claim tells');

select throws_ok($$select tests.upload_with('e', '{"value_count": -1}')$$, 'SD400', 'invalid_request', 'values are counted from 0');
select throws_ok($$select tests.upload_with('f', '{"merge_facts": [1]}')$$, 'SD400', 'invalid_request', 'facts are an object');
select lives_ok($$select tests.upload_with('g', '{"value_count": null}')$$, 'both may be unknown');

select * from finish();
rollback;
