-- What the files on read-only keys share, beside fixtures.sql.

create function tests.stage_key(p_user integer, p_dataset integer, p_secret text, p_ttl integer default 3600)
returns jsonb language sql as $$
  select stage_key(tests.u(p_user), tests.u(p_dataset), 'for ' || p_secret, tests.hash(p_secret), p_ttl)
$$;
-- a key whose user is tests.u(p_key_user)
create function tests.key(p_key_user integer, p_user integer, p_dataset integer, p_secret text) returns uuid language plpgsql as $$
declare v_key uuid := (tests.stage_key(p_user, p_dataset, p_secret) ->> 'key_id')::uuid;
begin
  update dataset_keys k set user_id = tests.u(p_key_user) where k.id = v_key;
  perform commit_key(tests.u(p_user), v_key);
  return v_key;
end $$;
create function tests.state_of(p_secret text) returns text language sql as $$
  select sediment.key_json(k) ->> 'state' from dataset_keys k where k.secret_hash = tests.hash(p_secret)
$$;
