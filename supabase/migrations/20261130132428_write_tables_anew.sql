-- Tables that are written anew by their settings: POST /compaction/rewrite, a job each minute, rewrite_bytes_per_hour.
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."rewrites" ("dataset_id" uuid NOT NULL, "table" text NOT NULL, "period_tag" text, "asked_at" timestamp with time zone NOT NULL, "made_before" timestamp with time zone, "after_period_tag" text NOT NULL DEFAULT ''::text, "after_seq" bigint NOT NULL DEFAULT '-1'::integer, "files" bigint NOT NULL DEFAULT 0, "bytes" bigint NOT NULL DEFAULT 0, "ended_at" timestamp with time zone, CONSTRAINT "rewrites_pkey" PRIMARY KEY (dataset_id, "table"));

revoke all on "public"."rewrites" from public, anon, authenticated, service_role;

ALTER TABLE "public"."rewrites" ENABLE ROW LEVEL SECURITY;

ALTER TABLE "public"."service_settings" ADD COLUMN "rewrite_bytes_per_hour" bigint NOT NULL DEFAULT '4294967296'::bigint;

CREATE OR REPLACE FUNCTION public.list_rewrites(p_user uuid, p_dataset uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  d public.datasets := sediment.require_dataset(p_user, p_dataset);
begin
  return jsonb_build_object('rewrites', (
    select coalesce(jsonb_agg(sediment.rewrite_json(r) order by r.asked_at desc), '[]')
    from (select * from public.rewrites x where x.dataset_id = d.id order by x.asked_at desc limit 100) r));
end $function$;

revoke all on function "public"."list_rewrites"(uuid, uuid) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION public.mark_for_rewrite(p_files jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_key record;
  v_marked integer;
begin
  if jsonb_typeof(p_files) is distinct from 'array' or jsonb_array_length(p_files) > 1000
    or exists (select 1 from jsonb_to_recordset(p_files) as m(id bigint, reason text)
      where m.id is null or coalesce(length(m.reason), 0) not between 1 and 200)
  then
    perform sediment.fail('invalid_request', 400, 'p_files is not an array of at most 1000 files with id and reason');
  end if;

  perform 1 from public.partitions p
  where (p.dataset_id, p."table", p.period_tag) in (
    select f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint))))
  order by p.dataset_id, p."table", p.period_tag
  for no key update;
  update public.battle_files f
  set rewrite = jsonb_build_object('reason', m.reason, 'schema', m.schema)
    || case when m.anew then '{"anew": true}' else '{}' end::jsonb
  from jsonb_to_recordset(p_files) as m(id bigint, reason text, schema jsonb, anew boolean)
  where f.id = m.id and f.removed_version is null and f.state = 'active';
  get diagnostics v_marked = row_count;

  for v_key in
    select distinct f.dataset_id, f."table", f.period_tag from public.battle_files f
    where f.id = any (array(select m.id from jsonb_to_recordset(p_files) as m(id bigint)))
      and f.rewrite is not null and f.removed_version is null
    order by 1, 2, 3
  loop
    update public.partitions p set demand_seq = p.demand_seq + 1
    where p.dataset_id = v_key.dataset_id and p."table" = v_key."table" and p.period_tag = v_key.period_tag;
    perform sediment.wake_partition(v_key.dataset_id, v_key."table", v_key.period_tag, 'scheduled', 'sweep', 0);
  end loop;
  return jsonb_build_object('marked', v_marked);
end $function$;

CREATE OR REPLACE FUNCTION public.request_rewrite(p_user uuid, p_dataset uuid, p_table text, p_period_tag text DEFAULT NULL::text, p_stop boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamptz := clock_timestamp();
  d public.datasets := sediment.require_dataset(p_user, p_dataset, 'writer');
  v_table text := sediment.table_of(d.id, p_table);
  x public.rewrites;
begin
  if not exists (select 1 from public.partitions p
    where p.dataset_id = d.id and p."table" = v_table and (p_period_tag is null or p.period_tag = p_period_tag))
  then
    perform sediment.fail('not_found', 404, format('dataset %s has no files of %s', d.id,
      concat_ws('/', p_table, p_period_tag)));
  end if;
  if p_stop then
    update public.rewrites r set ended_at = v_now
    where r.dataset_id = d.id and r."table" = v_table and r.ended_at is null;
  else
    insert into public.rewrites as r (dataset_id, "table", period_tag, asked_at)
    values (d.id, v_table, p_period_tag, v_now)
    on conflict (dataset_id, "table") do update
    set period_tag = excluded.period_tag, asked_at = v_now, made_before = null, after_period_tag = '', after_seq = -1,
      files = 0, bytes = 0, ended_at = null;
  end if;
  perform sediment.spend_request(p_user);
  select * into x from public.rewrites r where r.dataset_id = d.id and r."table" = v_table;
  if not found then
    perform sediment.fail('not_found', 404, format('nobody has asked for table %s to be written anew', p_table));
  end if;
  return sediment.rewrite_json(x);
end $function$;

revoke all on function "public"."request_rewrite"(uuid, uuid, text, text, boolean) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.advance_rewrites()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET statement_timeout TO '30s'
AS $function$
declare
  v_ahead constant integer := 100;
  v_looked constant integer := 5000;
  v_left bigint := (select s.rewrite_bytes_per_hour / 60 from public.service_settings s);
  v_marked bigint := 0;
  v_bytes bigint := 0;
  v_ended integer := 0;
  v_room bigint;
  v_page record;
  v_now timestamptz;
  v_settings jsonb;
  v_grown bigint;
  v_waits timestamptz;
  x public.rewrites;
begin
  for x in
    select * from public.rewrites r where r.ended_at is null order by r.asked_at limit 20
    for update skip locked
  loop
    exit when v_left <= 0 and v_marked > 0;
    v_now := clock_timestamp();
    if x.made_before is null then
      continue when exists (select 1 from public.partitions p
        where p.lease_expires_at > v_now and p.dataset_id = x.dataset_id and p."table" = x."table"
          and p.claimed_at <= x.asked_at);
      x.made_before := v_now;
    end if;
    v_room := v_ahead - sediment.files_to_rewrite(x, true, v_ahead);
    continue when v_room <= 0;

    v_settings := sediment.settings_of(x.dataset_id, x."table");
    v_grown := ceil(0.75 * (v_settings ->> 'target_file_bytes')::bigint);
    v_waits := v_now - make_interval(secs => (v_settings ->> 'max_age_seconds')::integer);
    with looked as (
      select f.id, f.period_tag, f.seq_min, f.byte_length,
        f.state = 'active' and f.rewrite is null and f.uploaded_at < x.made_before
          and (f.level > 0 or f.byte_length >= v_grown or f.uploaded_at < v_waits) as older
      from public.battle_files f
      where f.dataset_id = x.dataset_id and f."table" = x."table" and f.removed_version is null
        and (f.period_tag, f.seq_min) > (x.after_period_tag, x.after_seq)
        and (x.period_tag is null or f.period_tag = x.period_tag)
      order by f.period_tag, f.seq_min limit v_looked
    ), older as (
      select l.*, row_number() over w as n, sum(l.byte_length) over w - l.byte_length as before
      from looked l where l.older
      window w as (order by l.period_tag, l.seq_min)
    ), taken as (
      select o.* from older o where o.n <= v_room and (o.before < v_left or o.n = 1 and v_marked = 0)
    ), reached as (
      -- the walk goes on behind what was taken, or behind all that was looked at where all of that was
      select r.period_tag, r.seq_min from (
        select t.period_tag, t.seq_min from taken t where (select count(*) from taken) < (select count(*) from older)
        union all
        select l.period_tag, l.seq_min from looked l where (select count(*) from taken) = (select count(*) from older)
      ) r order by r.period_tag desc, r.seq_min desc limit 1
    )
    select coalesce((select jsonb_agg(jsonb_build_object('id', t.id, 'anew', true,
        'reason', 'the table''s settings may have changed since') order by t.n) from taken t), '[]') as files,
      (select coalesce(sum(t.byte_length), 0) from taken t) as bytes,
      (select count(*) from looked) < v_looked and (select count(*) from taken) = (select count(*) from older) as whole,
      r.period_tag, r.seq_min
    into strict v_page
    from (values (true)) one (row) left join reached r on true;

    perform public.mark_for_rewrite(v_page.files);
    v_left := v_left - v_page.bytes;
    v_bytes := v_bytes + v_page.bytes;
    v_marked := v_marked + jsonb_array_length(v_page.files);
    v_ended := v_ended + v_page.whole::integer;
    update public.rewrites r
    set made_before = x.made_before, files = r.files + jsonb_array_length(v_page.files), bytes = r.bytes + v_page.bytes,
      after_period_tag = coalesce(v_page.period_tag, r.after_period_tag),
      after_seq = coalesce(v_page.seq_min, r.after_seq), ended_at = case when v_page.whole then clock_timestamp() end
    where r.dataset_id = x.dataset_id and r."table" = x."table";
  end loop;
  return jsonb_build_object('marked', v_marked, 'bytes', v_bytes, 'ended', v_ended);
end $function$;

revoke all on function "sediment"."advance_rewrites"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.files_to_rewrite(p_rewrite public.rewrites, p_live boolean, p_limit integer)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (select count(*) from (
    select 1 from public.battle_files f
    join public.partitions p
      on p.dataset_id = f.dataset_id and p."table" = f."table" and p.period_tag = f.period_tag
    where f.dataset_id = p_rewrite.dataset_id and f."table" = p_rewrite."table" and f.rewrite is not null
      and f.removed_version is null and f.state = 'active' and (f.rewrite ->> 'anew')::boolean
      and (p.msg_id is not null) = p_live
    limit p_limit) x);
end $function$;

revoke all on function "sediment"."files_to_rewrite"(public.rewrites, boolean, integer) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.rewrite_json(p_rewrite public.rewrites)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object(
    'dataset_id', p_rewrite.dataset_id, 'table', sediment.name_of(p_rewrite.dataset_id, p_rewrite."table"),
    'period_tag', p_rewrite.period_tag, 'asked_at', p_rewrite.asked_at, 'ended_at', p_rewrite.ended_at,
    'files', p_rewrite.files, 'bytes', p_rewrite.bytes, 'waiting', sediment.files_to_rewrite(p_rewrite, true, 1000),
    'left_alone', sediment.files_to_rewrite(p_rewrite, false, 1000));
end $function$;

revoke all on function "sediment"."rewrite_json"(public.rewrites) from public, anon, authenticated, service_role;

ALTER TABLE "public"."rewrites" ADD CONSTRAINT "rewrites_dataset_id_fkey" FOREIGN KEY (dataset_id) REFERENCES public.datasets(id);

ALTER TABLE "public"."service_settings" ADD CONSTRAINT "service_settings_rewrite_bytes_per_hour_check" CHECK ((rewrite_bytes_per_hour > 0));

CREATE INDEX rewrites_open ON public.rewrites USING btree (asked_at) WHERE (ended_at IS NULL);

CREATE POLICY "member_reads" ON "public"."rewrites" FOR SELECT TO "authenticated" USING ((dataset_id = ANY (ARRAY( SELECT d.id
   FROM public.datasets d
  WHERE (d.user_id = ( SELECT auth.uid() AS uid))
UNION ALL
 SELECT m.dataset_id
   FROM public.dataset_members m
  WHERE ((m.user_id = ( SELECT auth.uid() AS uid)) AND ((m.expires_at IS NULL) OR (m.expires_at > now())))))));

CREATE POLICY "service_all" ON "public"."rewrites" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

COMMENT ON COLUMN "public"."service_settings"."rewrite_bytes_per_hour" IS 'How much of the tables that are to be written anew (POST /compaction/rewrite) is given to the workers an hour, all of them together. Unit: bytes. Default: 4294967296 (4 GiB).';

REVOKE ALL ON FUNCTION "public"."list_rewrites"(uuid, uuid) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."list_rewrites"(uuid, uuid) TO "service_role";

REVOKE ALL ON FUNCTION "public"."request_rewrite"(uuid, uuid, text, text, boolean) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "public"."request_rewrite"(uuid, uuid, text, text, boolean) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."advance_rewrites"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."advance_rewrites"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."files_to_rewrite"(public.rewrites, boolean, integer) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."files_to_rewrite"(public.rewrites, boolean, integer) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."rewrite_json"(public.rewrites) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."rewrite_json"(public.rewrites) TO "service_role";

GRANT SELECT ON TABLE "public"."rewrites" TO "authenticated";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."rewrites" TO "service_role";

select cron.schedule('sediment_rewrites', '* * * * *', 'select sediment.advance_rewrites()');
