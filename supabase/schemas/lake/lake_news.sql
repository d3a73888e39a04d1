-- A file that a publication has to show, or to leave out.
do $$ begin
  create type sediment.lake_news as (
    battle_file bigint,
    relation_id bigint,
    dataset_id uuid,
    period_tag text,
    object_key text,
    bytes bigint,
    row_count bigint,
    schema_digest text,
    lake_version smallint,
    mapping_id bigint,
    reason text
  );
exception when duplicate_object then null;
end $$;
