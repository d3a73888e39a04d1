-- The answer of a call that was made as the only one of its group, or its error, raised.
create or replace function sediment.answer_of(p_outcomes jsonb[])
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  v_error constant jsonb := p_outcomes[1] -> 'error';
begin
  if v_error is not null then
    raise exception using errcode = v_error ->> 'code', message = v_error ->> 'message',
      detail = v_error ->> 'details', hint = v_error ->> 'hint';
  end if;
  return p_outcomes[1] -> 'answer';
end $$;
