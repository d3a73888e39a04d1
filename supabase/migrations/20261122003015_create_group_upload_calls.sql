-- Group commit: calls of stage_upload and commit_upload that came at the same time, in one transaction. Each is as
-- it would be alone: it has its answer or its error, and an error takes back its own call and no other.
--   p_calls: [{call: 'stage_upload'|'commit_upload', …that function's arguments by name}], at most 100
-- Returns, in that order, [{answer} | {error: {code, message, details, hint}} | {busy: true}].
--
-- A group holds its first call's locks while it takes its last one's, in no order that others know. So it waits
-- 100 ms for one lock and no longer, which is less than deadlock_timeout: a call that would wait longer, and those
-- after it, are busy, with nothing done. The caller sends each of them alone, where waiting harms nobody else.
create or replace function public.group_upload_calls(p_calls jsonb)
returns jsonb
language plpgsql
set search_path = ''
set lock_timeout = '100ms'
as $$
declare
  v_call jsonb;
  v_out jsonb[] := '{}';
  v_answer jsonb;
  v_busy boolean := false;
  v_detail text;
  v_hint text;
begin
  if p_calls is null or jsonb_typeof(p_calls) <> 'array' or jsonb_array_length(p_calls) > 100 then
    perform sediment.fail('invalid_request', 400, 'p_calls is not an array of at most 100 calls');
  end if;

  for v_call in select c.value from jsonb_array_elements(p_calls) with ordinality as c(value, n) order by c.n loop
    if v_busy then
      v_out := v_out || jsonb_build_object('busy', true);
      continue;
    end if;
    begin
      case v_call ->> 'call'
        when 'stage_upload' then
          select public.stage_upload(a.p_user, a.p_dataset, a.p_table, a.p_period_tag, a.p_size, a.p_content_hash,
            a.p_offsets_digest, coalesce(a.p_kind, 'fragment'), coalesce(a.p_ttl_seconds, 120),
            coalesce(a.p_max_put_seconds, 7200), a.p_details, a.p_idempotency_key)
          into strict v_answer
          from jsonb_to_record(v_call) as a(p_user uuid, p_dataset uuid, p_table text, p_period_tag text,
            p_size bigint, p_content_hash text, p_offsets_digest text, p_kind text, p_ttl_seconds integer,
            p_max_put_seconds integer, p_details jsonb, p_idempotency_key text);
        when 'commit_upload' then
          select public.commit_upload(a.p_stage, a.p_user, a.p_size, a.p_etag, a.p_content_hash, a.p_files,
            a.p_object_size)
          into strict v_answer
          from jsonb_to_record(v_call) as a(p_stage uuid, p_user uuid, p_size bigint, p_etag text,
            p_content_hash text, p_files jsonb, p_object_size bigint);
        else
          perform sediment.fail('invalid_request', 400, format('there is no call %s', v_call -> 'call'),
            'stage_upload or commit_upload');
      end case;
      v_out := v_out || jsonb_build_object('answer', v_answer);
    exception
      when lock_not_available or deadlock_detected then
        v_busy := true;
        v_out := v_out || jsonb_build_object('busy', true);
      when others then
        get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        v_out := v_out || jsonb_build_object('error',
          jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'details', v_detail, 'hint', v_hint));
    end;
  end loop;
  return to_jsonb(v_out);
end $$;
