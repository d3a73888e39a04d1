-- Settings are checked where they are written, their changes are written down (settings_history), and what is hardly meant
-- is shown (setting_warnings).
set local lock_timeout = '5s';
set local check_function_bodies = off;

CREATE TABLE "public"."settings_history" ("id" bigint GENERATED ALWAYS AS IDENTITY NOT NULL, "changed_at" timestamp with time zone NOT NULL DEFAULT clock_timestamp(), "settings" text NOT NULL, "dataset_id" uuid, "table" text, "user_id" uuid, "column_name" text NOT NULL, "old_value" jsonb, "new_value" jsonb, "role" text NOT NULL, "subject" text, CONSTRAINT "settings_history_pkey" PRIMARY KEY (id), CONSTRAINT "settings_history_settings_check" CHECK ((settings = ANY (ARRAY['service_settings'::text, 'table_settings'::text, 'user_limits'::text]))));

revoke all on "public"."settings_history" from public, anon, authenticated, service_role;

revoke all on sequence "public"."settings_history_id_seq" from public, anon, authenticated, service_role;

ALTER TABLE "public"."settings_history" ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION sediment.check_settings()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  r constant jsonb := to_jsonb(new);
  v_fault text;
  v_key text;
begin
  if tg_table_name = 'service_settings' then
    select format('entry %s of alert_webhooks %s', w.place, sediment.webhook_fault(w.webhook)) into v_fault
    from jsonb_array_elements(r -> 'alert_webhooks') with ordinality w (webhook, place)
    where sediment.webhook_fault(w.webhook) is not null order by w.place limit 1;
    if v_fault is not null then
      perform sediment.fail('invalid_config', 400, v_fault,
        '[{"kind": "slack" | "pagerduty" | "plain", "url": "https://…", "routing_key": "…"}]');
    end if;
  end if;
  if tg_table_name = 'table_settings' then
    for v_key in
      select k from jsonb_array_elements_text(coalesce(nullif(r -> 'sort_keys', 'null'), '[]')) k
      union all
      select k from jsonb_array_elements_text(coalesce(nullif(r -> 'dedupe_keys', 'null'), '[]')) k
    loop
      if coalesce(btrim(regexp_replace(v_key, '\s+(asc|desc)\s*$', '', 'i')), '') = '' then
        perform sediment.fail('invalid_config', 400, 'a sort or dedupe key is empty',
          'column names, each sort key with " desc" behind it when it falls');
      end if;
    end loop;
    if jsonb_array_length(coalesce(nullif(r -> 'sort_keys', 'null'), '[]'))
      + jsonb_array_length(coalesce(nullif(r -> 'dedupe_keys', 'null'), '[]')) > 16
    then
      perform sediment.fail('invalid_config', 400, 'there are more than 16 sort and dedupe keys',
        '16 at most, of both together');
    end if;
  end if;
  if tg_table_name in ('service_settings', 'user_limits') and exists (
    select from jsonb_array_elements_text(coalesce(nullif(r -> 'asset_extensions', 'null'), '[]')) e
    where e !~ '^[a-z0-9]{1,16}$')
  then
    perform sediment.fail('invalid_config', 400, 'an entry of asset_extensions is no extension',
      'lower-case letters and digits, without a dot');
  end if;
  return new;
end $function$;

revoke all on function "sediment"."check_settings"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.log_settings()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_old constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) else '{}' end;
  v_new constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) else '{}' end;
  v_row constant jsonb := v_old || v_new;
begin
  insert into public.settings_history (settings, dataset_id, "table", user_id, column_name, old_value, new_value, role,
    subject)
  select tg_table_name, (v_row ->> 'dataset_id')::uuid, v_row ->> 'table', (v_row ->> 'user_id')::uuid, c.name,
    sediment.shown_setting(c.name, v_old -> c.name), sediment.shown_setting(c.name, v_new -> c.name),
    -- the caller's: that of the session, or what PostgREST has set for the request
    coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role', session_user),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
  from jsonb_object_keys(v_row) c (name)
  where c.name not in ('id', 'dataset_id', 'table', 'user_id', 'updated_at', 'planner_version', 'plan_changed_at',
      'signed_url_until')
    and coalesce(v_old -> c.name, 'null') is distinct from coalesce(v_new -> c.name, 'null')
    -- a row that is written with its defaults is no change
    and not (tg_op = 'INSERT' and tg_table_name = 'service_settings')
  order by c.name;
  return null;
end $function$;

revoke all on function "sediment"."log_settings"() from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.shown_setting(p_column text, p_value jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case when p_column <> 'alert_webhooks' or jsonb_typeof(p_value) <> 'array' then nullif(p_value, 'null')
    else (
      select coalesce(jsonb_agg(jsonb_build_object('kind', w ->> 'kind',
        'host', substring(w ->> 'url' from '^[a-zA-Z]+://(?:[^/?#@]*@)?([^/?#]+)'))), '[]')
      from jsonb_array_elements(p_value) w)
    end;
$function$;

revoke all on function "sediment"."shown_setting"(text, jsonb) from public, anon, authenticated, service_role;

CREATE OR REPLACE FUNCTION sediment.webhook_fault(p_webhook jsonb)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  select case
    when jsonb_typeof(p_webhook) is distinct from 'object' then 'is no object'
    when coalesce(p_webhook ->> 'kind', '') not in ('slack', 'pagerduty', 'plain')
      then format('has the kind %s; expected slack, pagerduty or plain', coalesce(p_webhook ->> 'kind', 'null'))
    when p_webhook ->> 'kind' = 'pagerduty' and coalesce(p_webhook ->> 'routing_key', '') = ''
      then 'lacks routing_key, the integration''s key'
    when p_webhook ->> 'kind' = 'pagerduty' and not p_webhook ? 'url' then null
    when jsonb_typeof(p_webhook -> 'url') is distinct from 'string'
      or p_webhook ->> 'url' !~* '^https?://[^/?#[:space:]]+([/?#][^[:space:]]*)?$'
      then 'has no http or https URL'
  end;
$function$;

revoke all on function "sediment"."webhook_fault"(jsonb) from public, anon, authenticated, service_role;

CREATE VIEW "public"."setting_warnings" WITH (security_invoker=true) AS  SELECT 'table_settings'::text AS settings,
    t.dataset_id,
    t."table",
    k.column_name,
    format('no file has the column %s: tables with it are not compacted'::text, k.key) AS warning
   FROM ((public.table_settings t
     CROSS JOIN LATERAL ( SELECT 'sort_keys'::text AS column_name,
            btrim(regexp_replace(u.key, '\s+(asc|desc)\s*$'::text, ''::text, 'i'::text)) AS key
           FROM unnest(t.sort_keys) u(key)
        UNION ALL
         SELECT 'dedupe_keys'::text AS column_name,
            u.key
           FROM unnest(t.dedupe_keys) u(key)) k)
     CROSS JOIN LATERAL ( SELECT count(*) AS files,
            COALESCE(bool_or(((s.schema -> 'children'::text) @> jsonb_build_array(jsonb_build_object('name', k.key)))), false) AS there
           FROM (( SELECT f_1.schema_digest
                   FROM public.battle_files f_1
                  WHERE ((f_1.dataset_id = t.dataset_id) AND (f_1."table" = t."table") AND (f_1.removed_version IS NULL))
                  ORDER BY f_1.period_tag DESC, f_1.seq_min DESC
                 LIMIT 100) f
             JOIN public.file_schemas s ON (((s.digest = f.schema_digest) AND (s.schema ? 'children'::text))))) seen)
  WHERE ((t."table" <> '*'::text) AND (seen.files > 0) AND (NOT seen.there))
UNION ALL
 SELECT 'service_settings'::text AS settings,
    NULL::uuid AS dataset_id,
    NULL::text AS "table",
    w.column_name,
    w.warning
   FROM (public.service_settings s
     CROSS JOIN LATERAL ( VALUES ('healthy_row_group_bytes'::text,'is above target_row_group_bytes: no output is healthy'::text,(s.healthy_row_group_bytes > s.target_row_group_bytes)), ('target_row_group_bytes'::text,'is below target_page_bytes: a row group holds less than a page'::text,(s.target_row_group_bytes < s.target_page_bytes)), ('backoff_base_seconds'::text,'is above backoff_cap_seconds'::text,(s.backoff_base_seconds > s.backoff_cap_seconds)), ('max_run_seconds'::text,'is below lease_seconds: a run ends before its first lease'::text,(s.max_run_seconds < s.lease_seconds)), ('max_workers'::text,'is 0: the clockwork wakes no worker'::text,(s.max_workers = 0)), ('signed_url_seconds'::text,'is above retention_seconds: vacuum waits for the URLs, not for the versions'::text,(s.signed_url_seconds > s.retention_seconds)), ('alert_webhooks'::text,'is empty: alerts reach nobody'::text,(s.alert_webhooks = '[]'::jsonb))) w(column_name, warning, holds))
  WHERE w.holds;

revoke all on "public"."setting_warnings" from public, anon, authenticated, service_role;

CREATE INDEX settings_history_changed ON public.settings_history USING btree (changed_at DESC, id DESC);

CREATE TRIGGER check_settings BEFORE INSERT OR UPDATE ON public.service_settings FOR EACH ROW EXECUTE FUNCTION sediment.check_settings();

CREATE TRIGGER log_settings AFTER INSERT OR DELETE OR UPDATE ON public.service_settings FOR EACH ROW EXECUTE FUNCTION sediment.log_settings();

CREATE TRIGGER check_settings BEFORE INSERT OR UPDATE ON public.table_settings FOR EACH ROW EXECUTE FUNCTION sediment.check_settings();

CREATE TRIGGER log_settings AFTER INSERT OR DELETE OR UPDATE ON public.table_settings FOR EACH ROW EXECUTE FUNCTION sediment.log_settings();

CREATE TRIGGER check_settings BEFORE INSERT OR UPDATE ON public.user_limits FOR EACH ROW EXECUTE FUNCTION sediment.check_settings();

CREATE TRIGGER log_settings AFTER INSERT OR DELETE OR UPDATE ON public.user_limits FOR EACH ROW EXECUTE FUNCTION sediment.log_settings();

CREATE POLICY "service_all" ON "public"."settings_history" FOR ALL TO "service_role" USING (true) WITH CHECK (true);

REVOKE ALL ON FUNCTION "sediment"."check_settings"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."check_settings"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."log_settings"() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."log_settings"() TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."shown_setting"(text, jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."shown_setting"(text, jsonb) TO "service_role";

REVOKE ALL ON FUNCTION "sediment"."webhook_fault"(jsonb) FROM PUBLIC;

GRANT EXECUTE ON FUNCTION "sediment"."webhook_fault"(jsonb) TO "service_role";

GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE "public"."settings_history" TO "service_role";

GRANT SELECT ON TABLE "public"."setting_warnings" TO "service_role";
