// Generated from the migrations by `deno task types` (supabase@3.1.0 gen types); not to be edited.
// shape ce58657a9d892ed34bba70bddbf35e691c86801fd70c5f31ce3ec8d9d4912242
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "age_walks": {
                  Row: {
                    "after_period_tag": string,"after_table": string,"dataset_id": string,"walked_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "after_period_tag"?: string,"after_table"?: string,"dataset_id": string,"walked_at"?: string
                  }
                  Update: {
                    "after_period_tag"?: string,"after_table"?: string,"dataset_id"?: string,"walked_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "age_walks_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: true
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "age_walks_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: true
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"alerts": {
                  Row: {
                    "attempts": number,"class": string,"created_at": string,"dead_letter_id": number | null,"id": number,"last_error": string | null,"next_attempt_at": string,"occurrences": number,"payload": NonNullable<Json>,"sent_at": string | null,"state": string,"taken": (string)[],"window_start": string
                  }
                  ComputedFields: never
                  Insert: {
                    "attempts"?: number,"class": string,"created_at"?: string,"dead_letter_id"?: number | null,"id"?: never,"last_error"?: string | null,"next_attempt_at"?: string,"occurrences"?: number,"payload": NonNullable<Json>,"sent_at"?: string | null,"state"?: string,"taken"?: (string)[],"window_start": string
                  }
                  Update: {
                    "attempts"?: number,"class"?: string,"created_at"?: string,"dead_letter_id"?: number | null,"id"?: never,"last_error"?: string | null,"next_attempt_at"?: string,"occurrences"?: number,"payload"?: NonNullable<Json>,"sent_at"?: string | null,"state"?: string,"taken"?: (string)[],"window_start"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "alerts_dead_letter_id_fkey"
      columns: ["dead_letter_id"]
isOneToOne: false
      referencedRelation: "dead_letters"
      referencedColumns: ["id"]
    }
                  ]
                },"assets": {
                  Row: {
                    "content_hash": string,"created_at": string,"etag": string | null,"file_name": string,"key": string,"object_key": string,"relative_path": string,"size": number,"updated_at": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "content_hash": string,"created_at"?: string,"etag"?: string | null,"file_name": string,"key": string,"object_key": string,"relative_path": string,"size": number,"updated_at"?: string,"user_id": string
                  }
                  Update: {
                    "content_hash"?: string,"created_at"?: string,"etag"?: string | null,"file_name"?: string,"key"?: string,"object_key"?: string,"relative_path"?: string,"size"?: number,"updated_at"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "assets_object_key_fkey"
      columns: ["object_key"]
isOneToOne: false
      referencedRelation: "objects"
      referencedColumns: ["object_key"]
    }
                  ]
                },"battle_files": {
                  Row: {
                    "added_version": number,"apart": Json | null,"byte_length": number,"checksum": string | null,"dataset_id": string,"etag": string | null,"id": number,"input_count": number | null,"lake_version": number | null,"level": number,"lost_since": string | null,"merge_facts": Json | null,"object_key": string,"ordinal": number,"period_tag": string,"provenance_length": number | null,"provenance_start": number | null,"quarantine_code": string | null,"quarantine_reason": string | null,"quarantined_at": string | null,"remake_at": string | null,"remake_tries": number,"removed_version": number | null,"rewrite": Json | null,"row_count": number,"row_group_count": number,"run_id": string | null,"schema_digest": string | null,"schema_fingerprint": string | null,"seq_max": number,"seq_min": number,"seqs": unknown,"start_byte": number,"state": string,"stats": Json | null,"table": string,"uncompressed_bytes": number,"upload_id": string | null,"uploaded_at": string,"uploaded_by": string,"value_count": number | null,"youngest_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "added_version": number,"apart"?: Json | null,"byte_length": number,"checksum"?: string | null,"dataset_id": string,"etag"?: string | null,"id"?: number,"input_count"?: number | null,"lake_version"?: number | null,"level": number,"lost_since"?: string | null,"merge_facts"?: Json | null,"object_key": string,"ordinal": number,"period_tag": string,"provenance_length"?: number | null,"provenance_start"?: number | null,"quarantine_code"?: string | null,"quarantine_reason"?: string | null,"quarantined_at"?: string | null,"remake_at"?: string | null,"remake_tries"?: number,"removed_version"?: number | null,"rewrite"?: Json | null,"row_count": number,"row_group_count": number,"run_id"?: string | null,"schema_digest"?: string | null,"schema_fingerprint"?: string | null,"seq_max": number,"seq_min": number,"seqs"?: unknown,"start_byte": number,"state"?: string,"stats"?: Json | null,"table": string,"uncompressed_bytes": number,"upload_id"?: string | null,"uploaded_at": string,"uploaded_by": string,"value_count"?: number | null,"youngest_at"?: string | null
                  }
                  Update: {
                    "added_version"?: number,"apart"?: Json | null,"byte_length"?: number,"checksum"?: string | null,"dataset_id"?: string,"etag"?: string | null,"id"?: number,"input_count"?: number | null,"lake_version"?: number | null,"level"?: number,"lost_since"?: string | null,"merge_facts"?: Json | null,"object_key"?: string,"ordinal"?: number,"period_tag"?: string,"provenance_length"?: number | null,"provenance_start"?: number | null,"quarantine_code"?: string | null,"quarantine_reason"?: string | null,"quarantined_at"?: string | null,"remake_at"?: string | null,"remake_tries"?: number,"removed_version"?: number | null,"rewrite"?: Json | null,"row_count"?: number,"row_group_count"?: number,"run_id"?: string | null,"schema_digest"?: string | null,"schema_fingerprint"?: string | null,"seq_max"?: number,"seq_min"?: number,"seqs"?: unknown,"start_byte"?: number,"state"?: string,"stats"?: Json | null,"table"?: string,"uncompressed_bytes"?: number,"upload_id"?: string | null,"uploaded_at"?: string,"uploaded_by"?: string,"value_count"?: number | null,"youngest_at"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "battle_files_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partition_status"
      referencedColumns: ["dataset_id","table","period_tag"]
    },{
      foreignKeyName: "battle_files_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partitions"
      referencedColumns: ["dataset_id","table","period_tag"]
    },{
      foreignKeyName: "battle_files_object_key_fkey"
      columns: ["object_key"]
isOneToOne: false
      referencedRelation: "objects"
      referencedColumns: ["object_key"]
    }
                  ]
                },"circuit_breaker": {
                  Row: {
                    "closed_at": string | null,"error_code": string | null,"error_message": string | null,"id": boolean,"opened_at": string | null,"part": string | null,"probe_at": string | null,"probe_key": string | null,"probe_token": number,"probe_until": string | null,"probes_failed": number,"probes_passed": number,"state": string,"suspect": string | null,"suspect_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "closed_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"id"?: boolean,"opened_at"?: string | null,"part"?: string | null,"probe_at"?: string | null,"probe_key"?: string | null,"probe_token"?: number,"probe_until"?: string | null,"probes_failed"?: number,"probes_passed"?: number,"state"?: string,"suspect"?: string | null,"suspect_at"?: string | null
                  }
                  Update: {
                    "closed_at"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"id"?: boolean,"opened_at"?: string | null,"part"?: string | null,"probe_at"?: string | null,"probe_key"?: string | null,"probe_token"?: number,"probe_until"?: string | null,"probes_failed"?: number,"probes_passed"?: number,"state"?: string,"suspect"?: string | null,"suspect_at"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"clockwork": {
                  Row: {
                    "beat_at": string,"gap_ended_at": string,"id": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "beat_at"?: string,"gap_ended_at"?: string,"id"?: boolean
                  }
                  Update: {
                    "beat_at"?: string,"gap_ended_at"?: string,"id"?: boolean
                  }
                  Relationships: [
                    
                  ]
                },"dataset_invitations": {
                  Row: {
                    "accepted_at": string | null,"accepted_by": string | null,"created_at": string,"dataset_id": string,"expires_at": string,"id": string,"invited_by": string | null,"keep_role": string | null,"revoked_at": string | null,"role": string,"token_hash": string,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "accepted_at"?: string | null,"accepted_by"?: string | null,"created_at"?: string,"dataset_id": string,"expires_at": string,"id"?: string,"invited_by"?: string | null,"keep_role"?: string | null,"revoked_at"?: string | null,"role": string,"token_hash": string,"user_id"?: string | null
                  }
                  Update: {
                    "accepted_at"?: string | null,"accepted_by"?: string | null,"created_at"?: string,"dataset_id"?: string,"expires_at"?: string,"id"?: string,"invited_by"?: string | null,"keep_role"?: string | null,"revoked_at"?: string | null,"role"?: string,"token_hash"?: string,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "dataset_invitations_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "dataset_invitations_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"dataset_keys": {
                  Row: {
                    "activated_at": string | null,"created_at": string,"created_by": string | null,"dataset_id": string,"end_reason": string | null,"ended_at": string | null,"expires_at": string,"id": string,"label": string,"last_used_at": string | null,"minute_sessions": number,"minute_start": string,"remove_attempts": number,"remove_user_at": string | null,"secret_hash": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "activated_at"?: string | null,"created_at"?: string,"created_by"?: string | null,"dataset_id": string,"end_reason"?: string | null,"ended_at"?: string | null,"expires_at": string,"id"?: string,"label"?: string,"last_used_at"?: string | null,"minute_sessions"?: number,"minute_start"?: string,"remove_attempts"?: number,"remove_user_at"?: string | null,"secret_hash": string,"user_id"?: string
                  }
                  Update: {
                    "activated_at"?: string | null,"created_at"?: string,"created_by"?: string | null,"dataset_id"?: string,"end_reason"?: string | null,"ended_at"?: string | null,"expires_at"?: string,"id"?: string,"label"?: string,"last_used_at"?: string | null,"minute_sessions"?: number,"minute_start"?: string,"remove_attempts"?: number,"remove_user_at"?: string | null,"secret_hash"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "dataset_keys_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "dataset_keys_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"dataset_members": {
                  Row: {
                    "dataset_id": string,"expires_at": string | null,"invited_by": string | null,"key_id": string | null,"role": string,"since": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"expires_at"?: string | null,"invited_by"?: string | null,"key_id"?: string | null,"role": string,"since"?: string,"user_id": string
                  }
                  Update: {
                    "dataset_id"?: string,"expires_at"?: string | null,"invited_by"?: string | null,"key_id"?: string | null,"role"?: string,"since"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "dataset_members_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "dataset_members_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "dataset_members_key_id_fkey"
      columns: ["key_id"]
isOneToOne: false
      referencedRelation: "dataset_keys"
      referencedColumns: ["id"]
    }
                  ]
                },"dataset_versions": {
                  Row: {
                    "committed_at": string,"dataset_id": string,"file_count": number | null,"file_size_bytes": number | null,"row_count": number | null,"uncompressed_bytes": number | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "committed_at": string,"dataset_id": string,"file_count"?: number | null,"file_size_bytes"?: number | null,"row_count"?: number | null,"uncompressed_bytes"?: number | null,"version": number
                  }
                  Update: {
                    "committed_at"?: string,"dataset_id"?: string,"file_count"?: number | null,"file_size_bytes"?: number | null,"row_count"?: number | null,"uncompressed_bytes"?: number | null,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"datasets": {
                  Row: {
                    "compression_ratio": number | null,"created_at": string,"deleted_at": string | null,"deletion_version": number,"ending_version": number,"file_count": number,"file_etag": string | null,"file_size_bytes": number,"has_aliases": boolean,"id": string,"last_compacted_at": string | null,"name": string,"oldest_kept_at": string,"oldest_kept_version": number,"partition_count": number,"retired_bytes": number,"row_count": number,"uncompressed_bytes": number,"updated_at": string,"user_id": string,"vacuumable_version": number,"vacuumed_at": string,"version": number,"version_committed_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "compression_ratio"?: number | null,"created_at"?: string,"deleted_at"?: string | null,"deletion_version"?: number,"ending_version"?: number,"file_count"?: number,"file_etag"?: string | null,"file_size_bytes"?: number,"has_aliases"?: boolean,"id": string,"last_compacted_at"?: string | null,"name"?: string,"oldest_kept_at"?: string,"oldest_kept_version"?: number,"partition_count"?: number,"retired_bytes"?: number,"row_count"?: number,"uncompressed_bytes"?: number,"updated_at"?: string,"user_id": string,"vacuumable_version"?: number,"vacuumed_at"?: string,"version"?: number,"version_committed_at"?: string
                  }
                  Update: {
                    "compression_ratio"?: number | null,"created_at"?: string,"deleted_at"?: string | null,"deletion_version"?: number,"ending_version"?: number,"file_count"?: number,"file_etag"?: string | null,"file_size_bytes"?: number,"has_aliases"?: boolean,"id"?: string,"last_compacted_at"?: string | null,"name"?: string,"oldest_kept_at"?: string,"oldest_kept_version"?: number,"partition_count"?: number,"retired_bytes"?: number,"row_count"?: number,"uncompressed_bytes"?: number,"updated_at"?: string,"user_id"?: string,"vacuumable_version"?: number,"vacuumed_at"?: string,"version"?: number,"version_committed_at"?: string
                  }
                  Relationships: [
                    
                  ]
                },"dead_letters": {
                  Row: {
                    "alerted_at": string | null,"attempts": number,"created_at": string,"dataset_id": string | null,"error_code": string,"error_message": string | null,"error_step": string | null,"first_failed_at": string,"id": number,"last_failed_at": string,"message": Json | null,"period_tag": string | null,"queue": string,"redriven_run_id": string | null,"resolution": string | null,"resolved_at": string | null,"run_id": string | null,"table": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "alerted_at"?: string | null,"attempts"?: number,"created_at"?: string,"dataset_id"?: string | null,"error_code": string,"error_message"?: string | null,"error_step"?: string | null,"first_failed_at": string,"id"?: number,"last_failed_at": string,"message"?: Json | null,"period_tag"?: string | null,"queue": string,"redriven_run_id"?: string | null,"resolution"?: string | null,"resolved_at"?: string | null,"run_id"?: string | null,"table"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "alerted_at"?: string | null,"attempts"?: number,"created_at"?: string,"dataset_id"?: string | null,"error_code"?: string,"error_message"?: string | null,"error_step"?: string | null,"first_failed_at"?: string,"id"?: number,"last_failed_at"?: string,"message"?: Json | null,"period_tag"?: string | null,"queue"?: string,"redriven_run_id"?: string | null,"resolution"?: string | null,"resolved_at"?: string | null,"run_id"?: string | null,"table"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"deleted_slices": {
                  Row: {
                    "dataset_id": string,"deletion_id": string,"period_tag": string,"rows": number,"seq": number,"table": string,"version": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"deletion_id": string,"period_tag": string,"rows": number,"seq": number,"table": string,"version"?: number | null
                  }
                  Update: {
                    "dataset_id"?: string,"deletion_id"?: string,"period_tag"?: string,"rows"?: number,"seq"?: number,"table"?: string,"version"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "deleted_slices_deletion_id_fkey"
      columns: ["deletion_id"]
isOneToOne: false
      referencedRelation: "deletions"
      referencedColumns: ["id"]
    }
                  ]
                },"deletions": {
                  Row: {
                    "advanced_at": string,"after_hash": string,"after_period_tag": string,"after_table": string,"assets": number,"bytes": number,"dataset_id": string | null,"files": number,"forgotten_at": string | null,"id": string,"kind": string,"parent_id": string | null,"period_tag": string | null,"purge": boolean,"purged_at": string | null,"removed_at": string | null,"removed_through": number | null,"requested_at": string,"requested_by": string | null,"rows": number,"state": string,"table": string | null,"upload_id": string | null,"user_id": string,"version": number | null,"walk_began_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "advanced_at"?: string,"after_hash"?: string,"after_period_tag"?: string,"after_table"?: string,"assets"?: number,"bytes"?: number,"dataset_id"?: string | null,"files"?: number,"forgotten_at"?: string | null,"id"?: string,"kind": string,"parent_id"?: string | null,"period_tag"?: string | null,"purge"?: boolean,"purged_at"?: string | null,"removed_at"?: string | null,"removed_through"?: number | null,"requested_at"?: string,"requested_by"?: string | null,"rows"?: number,"state"?: string,"table"?: string | null,"upload_id"?: string | null,"user_id": string,"version"?: number | null,"walk_began_at"?: string | null
                  }
                  Update: {
                    "advanced_at"?: string,"after_hash"?: string,"after_period_tag"?: string,"after_table"?: string,"assets"?: number,"bytes"?: number,"dataset_id"?: string | null,"files"?: number,"forgotten_at"?: string | null,"id"?: string,"kind"?: string,"parent_id"?: string | null,"period_tag"?: string | null,"purge"?: boolean,"purged_at"?: string | null,"removed_at"?: string | null,"removed_through"?: number | null,"requested_at"?: string,"requested_by"?: string | null,"rows"?: number,"state"?: string,"table"?: string | null,"upload_id"?: string | null,"user_id"?: string,"version"?: number | null,"walk_began_at"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "deletions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "deletions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "deletions_parent_id_fkey"
      columns: ["parent_id"]
isOneToOne: false
      referencedRelation: "deletions"
      referencedColumns: ["id"]
    }
                  ]
                },"ended_rows": {
                  Row: {
                    "bytes": number,"dataset_id": string,"ended_at": string,"files": number,"id": number,"period_tag": string,"rows": number,"rule": string,"table": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "bytes": number,"dataset_id": string,"ended_at"?: string,"files": number,"id"?: never,"period_tag": string,"rows": number,"rule": string,"table": string,"version": number
                  }
                  Update: {
                    "bytes"?: number,"dataset_id"?: string,"ended_at"?: string,"files"?: number,"id"?: never,"period_tag"?: string,"rows"?: number,"rule"?: string,"table"?: string,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "ended_rows_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "ended_rows_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"file_schemas": {
                  Row: {
                    "created_at": string,"digest": string,"fingerprint": string | null,"schema": NonNullable<Json>
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"digest": string,"fingerprint"?: string | null,"schema": NonNullable<Json>
                  }
                  Update: {
                    "created_at"?: string,"digest"?: string,"fingerprint"?: string | null,"schema"?: NonNullable<Json>
                  }
                  Relationships: [
                    
                  ]
                },"forgotten_uploads": {
                  Row: {
                    "dataset_id": string,"digest": string,"forgotten_at": string,"id": string,"slices": NonNullable<Json>,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"digest": string,"forgotten_at"?: string,"id": string,"slices": NonNullable<Json>,"version": number
                  }
                  Update: {
                    "dataset_id"?: string,"digest"?: string,"forgotten_at"?: string,"id"?: string,"slices"?: NonNullable<Json>,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"idempotency_keys": {
                  Row: {
                    "created_at": string,"identity": string,"key": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"identity": string,"key": string,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"identity"?: string,"key"?: string,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"identity_key": {
                  Row: {
                    "id": boolean,"key": string
                  }
                  ComputedFields: never
                  Insert: {
                    "id"?: boolean,"key": string
                  }
                  Update: {
                    "id"?: boolean,"key"?: string
                  }
                  Relationships: [
                    
                  ]
                },"incidents": {
                  Row: {
                    "closed_at": string | null,"details": NonNullable<Json>,"name": string,"opened_at": string,"state": string,"summary": string,"unseen": number,"watched": boolean
                  }
                  ComputedFields: never
                  Insert: {
                    "closed_at"?: string | null,"details"?: NonNullable<Json>,"name": string,"opened_at": string,"state": string,"summary": string,"unseen"?: number,"watched"?: boolean
                  }
                  Update: {
                    "closed_at"?: string | null,"details"?: NonNullable<Json>,"name"?: string,"opened_at"?: string,"state"?: string,"summary"?: string,"unseen"?: number,"watched"?: boolean
                  }
                  Relationships: [
                    
                  ]
                },"lake_columns": {
                  Row: {
                    "begin_snapshot": number,"column_id": number,"dataset_id": string | null,"end_snapshot": number | null,"iceberg_type": string | null,"name": string,"parent_id": number | null,"path": (string)[],"relation_id": number,"type": string
                  }
                  ComputedFields: never
                  Insert: {
                    "begin_snapshot": number,"column_id": number,"dataset_id"?: string | null,"end_snapshot"?: number | null,"iceberg_type"?: string | null,"name": string,"parent_id"?: number | null,"path": (string)[],"relation_id": number,"type": string
                  }
                  Update: {
                    "begin_snapshot"?: number,"column_id"?: number,"dataset_id"?: string | null,"end_snapshot"?: number | null,"iceberg_type"?: string | null,"name"?: string,"parent_id"?: number | null,"path"?: (string)[],"relation_id"?: number,"type"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_columns_relation_id_fkey"
      columns: ["relation_id"]
isOneToOne: false
      referencedRelation: "lake_relations"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_files": {
                  Row: {
                    "battle_file": number,"begin_snapshot": number,"bytes": number,"dataset_id": string,"end_snapshot": number | null,"id": number,"mapping_id": number,"object_key": string,"period_tag": string,"relation_id": number,"row_count": number,"row_id_start": number
                  }
                  ComputedFields: never
                  Insert: {
                    "battle_file": number,"begin_snapshot": number,"bytes": number,"dataset_id": string,"end_snapshot"?: number | null,"id": number,"mapping_id": number,"object_key": string,"period_tag": string,"relation_id": number,"row_count": number,"row_id_start": number
                  }
                  Update: {
                    "battle_file"?: number,"begin_snapshot"?: number,"bytes"?: number,"dataset_id"?: string,"end_snapshot"?: number | null,"id"?: number,"mapping_id"?: number,"object_key"?: string,"period_tag"?: string,"relation_id"?: number,"row_count"?: number,"row_id_start"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_files_relation_id_fkey"
      columns: ["relation_id"]
isOneToOne: false
      referencedRelation: "lake_relations"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_heads": {
                  Row: {
                    "claimed_until": string | null,"columns_at": number | null,"dataset_id": string,"drop_history": boolean,"metadata": string | null,"object_key": string | null,"oldest_snapshot_id": number | null,"relation_id": number,"revision": number,"seen_at": string,"seen_file": number,"seen_snapshot": number,"snapshot_id": number | null,"types": Json | null
                  }
                  ComputedFields: never
                  Insert: {
                    "claimed_until"?: string | null,"columns_at"?: number | null,"dataset_id": string,"drop_history"?: boolean,"metadata"?: string | null,"object_key"?: string | null,"oldest_snapshot_id"?: number | null,"relation_id": number,"revision"?: number,"seen_at"?: string,"seen_file"?: number,"seen_snapshot"?: number,"snapshot_id"?: number | null,"types"?: Json | null
                  }
                  Update: {
                    "claimed_until"?: string | null,"columns_at"?: number | null,"dataset_id"?: string,"drop_history"?: boolean,"metadata"?: string | null,"object_key"?: string | null,"oldest_snapshot_id"?: number | null,"relation_id"?: number,"revision"?: number,"seen_at"?: string,"seen_file"?: number,"seen_snapshot"?: number,"snapshot_id"?: number | null,"types"?: Json | null
                  }
                  Relationships: [
                    
                  ]
                },"lake_left_columns": {
                  Row: {
                    "dataset_id": string,"left_at": string,"path": (string)[],"reason": string,"relation_id": number
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"left_at"?: string,"path": (string)[],"reason": string,"relation_id": number
                  }
                  Update: {
                    "dataset_id"?: string,"left_at"?: string,"path"?: (string)[],"reason"?: string,"relation_id"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_left_columns_relation_id_fkey"
      columns: ["relation_id"]
isOneToOne: false
      referencedRelation: "lake_relations"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_left_files": {
                  Row: {
                    "battle_file": number,"dataset_id": string,"left_at": string,"reason": string,"relation_id": number
                  }
                  ComputedFields: never
                  Insert: {
                    "battle_file": number,"dataset_id": string,"left_at"?: string,"reason": string,"relation_id": number
                  }
                  Update: {
                    "battle_file"?: number,"dataset_id"?: string,"left_at"?: string,"reason"?: string,"relation_id"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_left_files_relation_id_fkey"
      columns: ["relation_id"]
isOneToOne: false
      referencedRelation: "lake_relations"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_manifest_lists": {
                  Row: {
                    "at": string,"bytes": number,"dataset_id": string,"file_count": number,"object_key": string,"relation_id": number,"row_count": number,"snapshot_id": number
                  }
                  ComputedFields: never
                  Insert: {
                    "at": string,"bytes": number,"dataset_id": string,"file_count": number,"object_key": string,"relation_id": number,"row_count": number,"snapshot_id": number
                  }
                  Update: {
                    "at"?: string,"bytes"?: number,"dataset_id"?: string,"file_count"?: number,"object_key"?: string,"relation_id"?: number,"row_count"?: number,"snapshot_id"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_manifest_lists_object_key_fkey"
      columns: ["object_key"]
isOneToOne: false
      referencedRelation: "objects"
      referencedColumns: ["object_key"]
    }
                  ]
                },"lake_manifests": {
                  Row: {
                    "added_files": number,"added_rows": number,"begin_snapshot": number,"bytes": number,"dataset_id": string,"end_snapshot": number | null,"files": (number)[],"min_sequence": number,"object_key": string,"relation_id": number,"row_count": number
                  }
                  ComputedFields: never
                  Insert: {
                    "added_files": number,"added_rows": number,"begin_snapshot": number,"bytes": number,"dataset_id": string,"end_snapshot"?: number | null,"files": (number)[],"min_sequence": number,"object_key": string,"relation_id": number,"row_count": number
                  }
                  Update: {
                    "added_files"?: number,"added_rows"?: number,"begin_snapshot"?: number,"bytes"?: number,"dataset_id"?: string,"end_snapshot"?: number | null,"files"?: (number)[],"min_sequence"?: number,"object_key"?: string,"relation_id"?: number,"row_count"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_manifests_object_key_fkey"
      columns: ["object_key"]
isOneToOne: true
      referencedRelation: "objects"
      referencedColumns: ["object_key"]
    }
                  ]
                },"lake_mapping_fields": {
                  Row: {
                    "column_id": number,"field": number,"mapping_id": number,"name": string,"parent": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "column_id": number,"field": number,"mapping_id": number,"name": string,"parent"?: number | null
                  }
                  Update: {
                    "column_id"?: number,"field"?: number,"mapping_id"?: number,"name"?: string,"parent"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_mapping_fields_mapping_id_fkey"
      columns: ["mapping_id"]
isOneToOne: false
      referencedRelation: "lake_schemas"
      referencedColumns: ["mapping_id"]
    }
                  ]
                },"lake_pending": {
                  Row: {
                    "change": string,"created_at": string,"dataset_id": string | null,"file_id": number | null,"id": number,"version": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "change": string,"created_at"?: string,"dataset_id"?: string | null,"file_id"?: number | null,"id"?: never,"version"?: number | null
                  }
                  Update: {
                    "change"?: string,"created_at"?: string,"dataset_id"?: string | null,"file_id"?: number | null,"id"?: never,"version"?: number | null
                  }
                  Relationships: [
                    
                  ]
                },"lake_relations": {
                  Row: {
                    "after_file": number | null,"begin_snapshot": number,"dataset_max": string | null,"dataset_min": string | null,"end_snapshot": number | null,"file_bytes": number,"id": number,"lake_table_id": number,"name": string,"next_column_id": number,"next_row_id": number,"period_max": string | null,"period_min": string | null,"shaped_by": string | null,"shown_files": number,"uuid": string
                  }
                  ComputedFields: never
                  Insert: {
                    "after_file"?: number | null,"begin_snapshot": number,"dataset_max"?: string | null,"dataset_min"?: string | null,"end_snapshot"?: number | null,"file_bytes"?: number,"id"?: never,"lake_table_id": number,"name": string,"next_column_id"?: number,"next_row_id"?: number,"period_max"?: string | null,"period_min"?: string | null,"shaped_by"?: string | null,"shown_files"?: number,"uuid"?: string
                  }
                  Update: {
                    "after_file"?: number | null,"begin_snapshot"?: number,"dataset_max"?: string | null,"dataset_min"?: string | null,"end_snapshot"?: number | null,"file_bytes"?: number,"id"?: never,"lake_table_id"?: number,"name"?: string,"next_column_id"?: number,"next_row_id"?: number,"period_max"?: string | null,"period_min"?: string | null,"shaped_by"?: string | null,"shown_files"?: number,"uuid"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_relations_lake_table_id_fkey"
      columns: ["lake_table_id"]
isOneToOne: false
      referencedRelation: "lake_tables"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_schemas": {
                  Row: {
                    "dataset_id": string | null,"fields": number | null,"iceberg_columns": number | null,"iceberg_reason": string | null,"mapping_id": number | null,"reason": string | null,"relation_id": number,"schema_digest": string
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id"?: string | null,"fields"?: number | null,"iceberg_columns"?: number | null,"iceberg_reason"?: string | null,"mapping_id"?: number | null,"reason"?: string | null,"relation_id": number,"schema_digest": string
                  }
                  Update: {
                    "dataset_id"?: string | null,"fields"?: number | null,"iceberg_columns"?: number | null,"iceberg_reason"?: string | null,"mapping_id"?: number | null,"reason"?: string | null,"relation_id"?: number,"schema_digest"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_schemas_relation_id_fkey"
      columns: ["relation_id"]
isOneToOne: false
      referencedRelation: "lake_relations"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_shapes": {
                  Row: {
                    "dataset_id": string,"lake_table_id": number
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"lake_table_id": number
                  }
                  Update: {
                    "dataset_id"?: string,"lake_table_id"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_shapes_lake_table_id_fkey"
      columns: ["lake_table_id"]
isOneToOne: true
      referencedRelation: "lake_tables"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_snapshots": {
                  Row: {
                    "at": string,"id": number,"next_file_id": number,"schema_version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "at": string,"id": number,"next_file_id": number,"schema_version": number
                  }
                  Update: {
                    "at"?: string,"id"?: number,"next_file_id"?: number,"schema_version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"lake_statistics": {
                  Row: {
                    "column_id": number,"contains_nan": boolean | null,"file_id": number,"max_value": string | null,"min_value": string | null,"null_count": number | null,"relation_id": number,"value_count": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "column_id": number,"contains_nan"?: boolean | null,"file_id": number,"max_value"?: string | null,"min_value"?: string | null,"null_count"?: number | null,"relation_id": number,"value_count"?: number | null
                  }
                  Update: {
                    "column_id"?: number,"contains_nan"?: boolean | null,"file_id"?: number,"max_value"?: string | null,"min_value"?: string | null,"null_count"?: number | null,"relation_id"?: number,"value_count"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "lake_statistics_file_id_fkey"
      columns: ["file_id"]
isOneToOne: false
      referencedRelation: "lake_files"
      referencedColumns: ["id"]
    }
                  ]
                },"lake_tables": {
                  Row: {
                    "approved_at": string,"dataset_column": string,"id": number,"name": string,"period_column": string,"settled_dataset_id": string | null,"settled_period_tag": string,"settled_seq": number,"settling_since": string | null,"withdrawn_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "approved_at"?: string,"dataset_column": string,"id"?: never,"name": string,"period_column": string,"settled_dataset_id"?: string | null,"settled_period_tag"?: string,"settled_seq"?: number,"settling_since"?: string | null,"withdrawn_at"?: string | null
                  }
                  Update: {
                    "approved_at"?: string,"dataset_column"?: string,"id"?: never,"name"?: string,"period_column"?: string,"settled_dataset_id"?: string | null,"settled_period_tag"?: string,"settled_seq"?: number,"settling_since"?: string | null,"withdrawn_at"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"metric_deltas": {
                  Row: {
                    "amount": number,"events": number,"label": string,"metric": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount"?: number,"events"?: number,"label"?: string,"metric": string
                  }
                  Update: {
                    "amount"?: number,"events"?: number,"label"?: string,"metric"?: string
                  }
                  Relationships: [
                    
                  ]
                },"metric_samples": {
                  Row: {
                    "at": string,"dataset_count": number | null,"dead_letters": number,"debt_oldest_seconds": number,"debt_partitions": number,"file_count": number | null,"files_merged": number,"lag_seconds": number,"merges": number,"row_count": number | null,"stored_bytes": number | null,"upload_bytes": number,"uploads": number
                  }
                  ComputedFields: never
                  Insert: {
                    "at": string,"dataset_count"?: number | null,"dead_letters": number,"debt_oldest_seconds": number,"debt_partitions": number,"file_count"?: number | null,"files_merged": number,"lag_seconds": number,"merges": number,"row_count"?: number | null,"stored_bytes"?: number | null,"upload_bytes": number,"uploads": number
                  }
                  Update: {
                    "at"?: string,"dataset_count"?: number | null,"dead_letters"?: number,"debt_oldest_seconds"?: number,"debt_partitions"?: number,"file_count"?: number | null,"files_merged"?: number,"lag_seconds"?: number,"merges"?: number,"row_count"?: number | null,"stored_bytes"?: number | null,"upload_bytes"?: number,"uploads"?: number
                  }
                  Relationships: [
                    
                  ]
                },"metric_totals": {
                  Row: {
                    "amount": number,"events": number,"label": string,"metric": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"events": number,"label": string,"metric": string
                  }
                  Update: {
                    "amount"?: number,"events"?: number,"label"?: string,"metric"?: string
                  }
                  Relationships: [
                    
                  ]
                },"objects": {
                  Row: {
                    "asset_key": string | null,"content_hash": string | null,"created_at": string,"dataset_id": string | null,"delete_after": string | null,"delete_reason": string | null,"details": Json | null,"etag": string | null,"expires_at": string | null,"kind": string,"object_key": string,"offsets_digest": string | null,"period_tag": string | null,"put_deadline": string,"run_id": string | null,"run_ordinal": number | null,"size": number | null,"split_at": string | null,"stage_id": string | null,"staged_version": number | null,"state": string,"table": string | null,"token": number | null,"updated_at": string,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "asset_key"?: string | null,"content_hash"?: string | null,"created_at"?: string,"dataset_id"?: string | null,"delete_after"?: string | null,"delete_reason"?: string | null,"details"?: Json | null,"etag"?: string | null,"expires_at"?: string | null,"kind": string,"object_key": string,"offsets_digest"?: string | null,"period_tag"?: string | null,"put_deadline": string,"run_id"?: string | null,"run_ordinal"?: number | null,"size"?: number | null,"split_at"?: string | null,"stage_id"?: string | null,"staged_version"?: number | null,"state"?: string,"table"?: string | null,"token"?: number | null,"updated_at"?: string,"user_id"?: string | null
                  }
                  Update: {
                    "asset_key"?: string | null,"content_hash"?: string | null,"created_at"?: string,"dataset_id"?: string | null,"delete_after"?: string | null,"delete_reason"?: string | null,"details"?: Json | null,"etag"?: string | null,"expires_at"?: string | null,"kind"?: string,"object_key"?: string,"offsets_digest"?: string | null,"period_tag"?: string | null,"put_deadline"?: string,"run_id"?: string | null,"run_ordinal"?: number | null,"size"?: number | null,"split_at"?: string | null,"stage_id"?: string | null,"staged_version"?: number | null,"state"?: string,"table"?: string | null,"token"?: number | null,"updated_at"?: string,"user_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"partitions": {
                  Row: {
                    "claimed_at": string | null,"claimed_debt_bytes": number | null,"claimed_debt_files": number | null,"claimed_demand_seq": number | null,"created_at": string,"dataset_id": string,"dead_looks": number,"dead_since": string | null,"debt_bytes": number,"debt_files": number,"debt_oldest": string | null,"demand_seq": number,"done_seq": number,"due_at": string | null,"forced_seq": number,"idle_runs": number,"isolation": Json | null,"last_considered_at": string | null,"last_decision": string | null,"last_seq": number,"lease_expires_at": string | null,"lease_slot": number | null,"lease_worker": string | null,"left_alone_files": number,"msg_id": number | null,"next_run_id": string | null,"output_cap_bytes": number | null,"period_tag": string,"plan_digest": string | null,"queue": string | null,"ready_at": string | null,"run_id": string | null,"staged_inputs": (number)[] | null,"table": string,"tier_files": (number)[] | null,"tier_groups": Json | null,"tier_oldest": (string)[] | null,"token": number
                  }
                  ComputedFields: never
                  Insert: {
                    "claimed_at"?: string | null,"claimed_debt_bytes"?: number | null,"claimed_debt_files"?: number | null,"claimed_demand_seq"?: number | null,"created_at"?: string,"dataset_id": string,"dead_looks"?: number,"dead_since"?: string | null,"debt_bytes"?: number,"debt_files"?: number,"debt_oldest"?: string | null,"demand_seq"?: number,"done_seq"?: number,"due_at"?: string | null,"forced_seq"?: number,"idle_runs"?: number,"isolation"?: Json | null,"last_considered_at"?: string | null,"last_decision"?: string | null,"last_seq"?: number,"lease_expires_at"?: string | null,"lease_slot"?: number | null,"lease_worker"?: string | null,"left_alone_files"?: number,"msg_id"?: number | null,"next_run_id"?: string | null,"output_cap_bytes"?: number | null,"period_tag": string,"plan_digest"?: string | null,"queue"?: string | null,"ready_at"?: string | null,"run_id"?: string | null,"staged_inputs"?: (number)[] | null,"table": string,"tier_files"?: (number)[] | null,"tier_groups"?: Json | null,"tier_oldest"?: (string)[] | null,"token"?: number
                  }
                  Update: {
                    "claimed_at"?: string | null,"claimed_debt_bytes"?: number | null,"claimed_debt_files"?: number | null,"claimed_demand_seq"?: number | null,"created_at"?: string,"dataset_id"?: string,"dead_looks"?: number,"dead_since"?: string | null,"debt_bytes"?: number,"debt_files"?: number,"debt_oldest"?: string | null,"demand_seq"?: number,"done_seq"?: number,"due_at"?: string | null,"forced_seq"?: number,"idle_runs"?: number,"isolation"?: Json | null,"last_considered_at"?: string | null,"last_decision"?: string | null,"last_seq"?: number,"lease_expires_at"?: string | null,"lease_slot"?: number | null,"lease_worker"?: string | null,"left_alone_files"?: number,"msg_id"?: number | null,"next_run_id"?: string | null,"output_cap_bytes"?: number | null,"period_tag"?: string,"plan_digest"?: string | null,"queue"?: string | null,"ready_at"?: string | null,"run_id"?: string | null,"staged_inputs"?: (number)[] | null,"table"?: string,"tier_files"?: (number)[] | null,"tier_groups"?: Json | null,"tier_oldest"?: (string)[] | null,"token"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "partitions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "partitions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"pings": {
                  Row: {
                    "id": number,"path": string,"sent_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "id": number,"path": string,"sent_at"?: string
                  }
                  Update: {
                    "id"?: number,"path"?: string,"sent_at"?: string
                  }
                  Relationships: [
                    
                  ]
                },"processing_metrics": {
                  Row: {
                    "attempts": number,"bytes_after": number,"bytes_before": number,"commits": number,"completed_at": string | null,"dataset_id": string,"decision": string | null,"error_code": string | null,"error_message": string | null,"error_step": string | null,"fan_out_cursor": Json | null,"fan_out_forced": boolean,"files_after": number,"files_before": number,"files_quarantined": number,"first_failed_at": string | null,"given_back": number,"id": string,"last_failed_at": string | null,"operation": string,"output": Json | null,"period_tag": string | null,"priority": string,"progress": Json | null,"queued_at": string,"row_groups_after": number,"row_groups_before": number,"rows_after": number,"rows_before": number,"started_at": string | null,"status": string,"step": string | null,"steps": NonNullable<Json>,"steps_ms": NonNullable<Json>,"table": string | null,"trigger": string,"user_id": string,"worked_seconds": number,"worker": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "attempts"?: number,"bytes_after"?: number,"bytes_before"?: number,"commits"?: number,"completed_at"?: string | null,"dataset_id": string,"decision"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"error_step"?: string | null,"fan_out_cursor"?: Json | null,"fan_out_forced"?: boolean,"files_after"?: number,"files_before"?: number,"files_quarantined"?: number,"first_failed_at"?: string | null,"given_back"?: number,"id"?: string,"last_failed_at"?: string | null,"operation": string,"output"?: Json | null,"period_tag"?: string | null,"priority": string,"progress"?: Json | null,"queued_at"?: string,"row_groups_after"?: number,"row_groups_before"?: number,"rows_after"?: number,"rows_before"?: number,"started_at"?: string | null,"status"?: string,"step"?: string | null,"steps"?: NonNullable<Json>,"steps_ms"?: NonNullable<Json>,"table"?: string | null,"trigger": string,"user_id": string,"worked_seconds"?: number,"worker"?: string | null
                  }
                  Update: {
                    "attempts"?: number,"bytes_after"?: number,"bytes_before"?: number,"commits"?: number,"completed_at"?: string | null,"dataset_id"?: string,"decision"?: string | null,"error_code"?: string | null,"error_message"?: string | null,"error_step"?: string | null,"fan_out_cursor"?: Json | null,"fan_out_forced"?: boolean,"files_after"?: number,"files_before"?: number,"files_quarantined"?: number,"first_failed_at"?: string | null,"given_back"?: number,"id"?: string,"last_failed_at"?: string | null,"operation"?: string,"output"?: Json | null,"period_tag"?: string | null,"priority"?: string,"progress"?: Json | null,"queued_at"?: string,"row_groups_after"?: number,"row_groups_before"?: number,"rows_after"?: number,"rows_before"?: number,"started_at"?: string | null,"status"?: string,"step"?: string | null,"steps"?: NonNullable<Json>,"steps_ms"?: NonNullable<Json>,"table"?: string | null,"trigger"?: string,"user_id"?: string,"worked_seconds"?: number,"worker"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "processing_metrics_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partition_status"
      referencedColumns: ["dataset_id","table","period_tag"]
    },{
      foreignKeyName: "processing_metrics_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partitions"
      referencedColumns: ["dataset_id","table","period_tag"]
    }
                  ]
                },"rewrites": {
                  Row: {
                    "after_period_tag": string,"after_seq": number,"asked_at": string,"bytes": number,"dataset_id": string,"ended_at": string | null,"files": number,"looked_at": string | null,"made_before": string | null,"period_tag": string | null,"table": string
                  }
                  ComputedFields: never
                  Insert: {
                    "after_period_tag"?: string,"after_seq"?: number,"asked_at": string,"bytes"?: number,"dataset_id": string,"ended_at"?: string | null,"files"?: number,"looked_at"?: string | null,"made_before"?: string | null,"period_tag"?: string | null,"table": string
                  }
                  Update: {
                    "after_period_tag"?: string,"after_seq"?: number,"asked_at"?: string,"bytes"?: number,"dataset_id"?: string,"ended_at"?: string | null,"files"?: number,"looked_at"?: string | null,"made_before"?: string | null,"period_tag"?: string | null,"table"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "rewrites_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "rewrites_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"run_children": {
                  Row: {
                    "child_id": string,"parent_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "child_id": string,"parent_id": string
                  }
                  Update: {
                    "child_id"?: string,"parent_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "run_children_child_id_fkey"
      columns: ["child_id"]
isOneToOne: false
      referencedRelation: "processing_metrics"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "run_children_parent_id_fkey"
      columns: ["parent_id"]
isOneToOne: false
      referencedRelation: "processing_metrics"
      referencedColumns: ["id"]
    }
                  ]
                },"run_commits": {
                  Row: {
                    "answer": NonNullable<Json>,"committed_at": string,"file_id": number | null,"object_key": string | null,"ordinal": number,"run_id": string,"token": number
                  }
                  ComputedFields: never
                  Insert: {
                    "answer": NonNullable<Json>,"committed_at"?: string,"file_id"?: number | null,"object_key"?: string | null,"ordinal": number,"run_id": string,"token": number
                  }
                  Update: {
                    "answer"?: NonNullable<Json>,"committed_at"?: string,"file_id"?: number | null,"object_key"?: string | null,"ordinal"?: number,"run_id"?: string,"token"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "run_commits_run_id_fkey"
      columns: ["run_id"]
isOneToOne: false
      referencedRelation: "processing_metrics"
      referencedColumns: ["id"]
    }
                  ]
                },"service_settings": {
                  Row: {
                    "alert_max_attempts": number,"alert_private_addresses": boolean,"alert_webhooks": NonNullable<Json>,"alert_window_seconds": number,"archive_seconds": number,"asset_bytes_max": number,"asset_extensions": (string)[],"backoff_base_seconds": number,"backoff_cap_seconds": number,"breaker_probe_seconds": number,"breaker_window_seconds": number,"clockwork_gap_seconds": number,"codec": string,"datasets_max": number | null,"deleted_upload_seconds": number,"healthy_row_group_bytes": number,"history_seconds": number,"id": boolean,"idle_history_seconds": number,"idle_recheck_seconds": number,"keys_max": number,"lag_alert_seconds": number,"lake_retention_seconds": number,"lease_seconds": number,"max_age_seconds": number,"max_attempts": number,"max_datasets_per_run": number,"max_object_bytes": number | null,"max_put_seconds": number,"max_run_seconds": number,"max_workers": number,"min_inputs": number,"open_stages_max": number | null,"partitions_max": number | null,"partitions_per_minute": number | null,"plan_changed_at": string,"planner_version": number,"realtime_delay_seconds": number,"requests_per_minute": number | null,"retention_seconds": number,"rewrite_bytes_per_hour": number,"schedule_concurrency": number,"schedule_delay_ms": number,"schemas_per_minute": number | null,"second_look_seconds": number,"signed_url_seconds": number,"signed_url_until": string,"storage_bucket": string,"store_check_bytes_per_day": number,"store_check_interval_seconds": number,"stored_bytes_max": number | null,"tables_max": number | null,"target_file_bytes": number,"target_page_bytes": number,"target_row_group_bytes": number,"updated_at": string,"upload_bytes_per_day": number | null,"uploads_per_minute": number | null,"vacuum_interval_seconds": number
                  }
                  ComputedFields: never
                  Insert: {
                    "alert_max_attempts"?: number,"alert_private_addresses"?: boolean,"alert_webhooks"?: NonNullable<Json>,"alert_window_seconds"?: number,"archive_seconds"?: number,"asset_bytes_max"?: number,"asset_extensions"?: (string)[],"backoff_base_seconds"?: number,"backoff_cap_seconds"?: number,"breaker_probe_seconds"?: number,"breaker_window_seconds"?: number,"clockwork_gap_seconds"?: number,"codec"?: string,"datasets_max"?: number | null,"deleted_upload_seconds"?: number,"healthy_row_group_bytes"?: number,"history_seconds"?: number,"id"?: boolean,"idle_history_seconds"?: number,"idle_recheck_seconds"?: number,"keys_max"?: number,"lag_alert_seconds"?: number,"lake_retention_seconds"?: number,"lease_seconds"?: number,"max_age_seconds"?: number,"max_attempts"?: number,"max_datasets_per_run"?: number,"max_object_bytes"?: number | null,"max_put_seconds"?: number,"max_run_seconds"?: number,"max_workers"?: number,"min_inputs"?: number,"open_stages_max"?: number | null,"partitions_max"?: number | null,"partitions_per_minute"?: number | null,"plan_changed_at"?: string,"planner_version"?: number,"realtime_delay_seconds"?: number,"requests_per_minute"?: number | null,"retention_seconds"?: number,"rewrite_bytes_per_hour"?: number,"schedule_concurrency"?: number,"schedule_delay_ms"?: number,"schemas_per_minute"?: number | null,"second_look_seconds"?: number,"signed_url_seconds"?: number,"signed_url_until"?: string,"storage_bucket"?: string,"store_check_bytes_per_day"?: number,"store_check_interval_seconds"?: number,"stored_bytes_max"?: number | null,"tables_max"?: number | null,"target_file_bytes"?: number,"target_page_bytes"?: number,"target_row_group_bytes"?: number,"updated_at"?: string,"upload_bytes_per_day"?: number | null,"uploads_per_minute"?: number | null,"vacuum_interval_seconds"?: number
                  }
                  Update: {
                    "alert_max_attempts"?: number,"alert_private_addresses"?: boolean,"alert_webhooks"?: NonNullable<Json>,"alert_window_seconds"?: number,"archive_seconds"?: number,"asset_bytes_max"?: number,"asset_extensions"?: (string)[],"backoff_base_seconds"?: number,"backoff_cap_seconds"?: number,"breaker_probe_seconds"?: number,"breaker_window_seconds"?: number,"clockwork_gap_seconds"?: number,"codec"?: string,"datasets_max"?: number | null,"deleted_upload_seconds"?: number,"healthy_row_group_bytes"?: number,"history_seconds"?: number,"id"?: boolean,"idle_history_seconds"?: number,"idle_recheck_seconds"?: number,"keys_max"?: number,"lag_alert_seconds"?: number,"lake_retention_seconds"?: number,"lease_seconds"?: number,"max_age_seconds"?: number,"max_attempts"?: number,"max_datasets_per_run"?: number,"max_object_bytes"?: number | null,"max_put_seconds"?: number,"max_run_seconds"?: number,"max_workers"?: number,"min_inputs"?: number,"open_stages_max"?: number | null,"partitions_max"?: number | null,"partitions_per_minute"?: number | null,"plan_changed_at"?: string,"planner_version"?: number,"realtime_delay_seconds"?: number,"requests_per_minute"?: number | null,"retention_seconds"?: number,"rewrite_bytes_per_hour"?: number,"schedule_concurrency"?: number,"schedule_delay_ms"?: number,"schemas_per_minute"?: number | null,"second_look_seconds"?: number,"signed_url_seconds"?: number,"signed_url_until"?: string,"storage_bucket"?: string,"store_check_bytes_per_day"?: number,"store_check_interval_seconds"?: number,"stored_bytes_max"?: number | null,"tables_max"?: number | null,"target_file_bytes"?: number,"target_page_bytes"?: number,"target_row_group_bytes"?: number,"updated_at"?: string,"upload_bytes_per_day"?: number | null,"uploads_per_minute"?: number | null,"vacuum_interval_seconds"?: number
                  }
                  Relationships: [
                    
                  ]
                },"settings_history": {
                  Row: {
                    "changed_at": string,"column_name": string,"dataset_id": string | null,"id": number,"new_value": Json | null,"old_value": Json | null,"role": string,"settings": string,"subject": string | null,"table": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "changed_at"?: string,"column_name": string,"dataset_id"?: string | null,"id"?: never,"new_value"?: Json | null,"old_value"?: Json | null,"role": string,"settings": string,"subject"?: string | null,"table"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "changed_at"?: string,"column_name"?: string,"dataset_id"?: string | null,"id"?: never,"new_value"?: Json | null,"old_value"?: Json | null,"role"?: string,"settings"?: string,"subject"?: string | null,"table"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"store_check": {
                  Row: {
                    "after_key": string,"begun_at": string | null,"id": boolean,"leased_until": string | null,"list_cursor": string | null,"pass_ended_at": string | null,"pass_started_at": string | null,"passes": number,"read_after": number,"read_at": string,"reads": number,"token": number,"tries": number
                  }
                  ComputedFields: never
                  Insert: {
                    "after_key"?: string,"begun_at"?: string | null,"id"?: boolean,"leased_until"?: string | null,"list_cursor"?: string | null,"pass_ended_at"?: string | null,"pass_started_at"?: string | null,"passes"?: number,"read_after"?: number,"read_at"?: string,"reads"?: number,"token"?: number,"tries"?: number
                  }
                  Update: {
                    "after_key"?: string,"begun_at"?: string | null,"id"?: boolean,"leased_until"?: string | null,"list_cursor"?: string | null,"pass_ended_at"?: string | null,"pass_started_at"?: string | null,"passes"?: number,"read_after"?: number,"read_at"?: string,"reads"?: number,"token"?: number,"tries"?: number
                  }
                  Relationships: [
                    
                  ]
                },"store_findings": {
                  Row: {
                    "confirmed_at": string | null,"detail": string,"found_at": string,"kind": string,"looked_at": string,"object_key": string
                  }
                  ComputedFields: never
                  Insert: {
                    "confirmed_at"?: string | null,"detail": string,"found_at"?: string,"kind": string,"looked_at"?: string,"object_key": string
                  }
                  Update: {
                    "confirmed_at"?: string | null,"detail"?: string,"found_at"?: string,"kind"?: string,"looked_at"?: string,"object_key"?: string
                  }
                  Relationships: [
                    
                  ]
                },"table_names": {
                  Row: {
                    "dataset_id": string,"is_current": boolean,"name": string,"named_at": string,"table": string
                  }
                  ComputedFields: never
                  Insert: {
                    "dataset_id": string,"is_current": boolean,"name": string,"named_at"?: string,"table": string
                  }
                  Update: {
                    "dataset_id"?: string,"is_current"?: boolean,"name"?: string,"named_at"?: string,"table"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "table_names_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "table_names_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"table_settings": {
                  Row: {
                    "codec": string | null,"dataset_id": string,"dedupe_keys": (string)[] | null,"healthy_row_group_bytes": number | null,"keep_periods": number | null,"keep_rows_seconds": number | null,"max_age_seconds": number | null,"min_inputs": number | null,"retention_seconds": number | null,"sort_keys": (string)[] | null,"table": string,"target_file_bytes": number | null,"target_page_bytes": number | null,"target_row_group_bytes": number | null,"unite_uuid_as_text": boolean | null,"updated_at": string
                  }
                  ComputedFields: never
                  Insert: {
                    "codec"?: string | null,"dataset_id": string,"dedupe_keys"?: (string)[] | null,"healthy_row_group_bytes"?: number | null,"keep_periods"?: number | null,"keep_rows_seconds"?: number | null,"max_age_seconds"?: number | null,"min_inputs"?: number | null,"retention_seconds"?: number | null,"sort_keys"?: (string)[] | null,"table": string,"target_file_bytes"?: number | null,"target_page_bytes"?: number | null,"target_row_group_bytes"?: number | null,"unite_uuid_as_text"?: boolean | null,"updated_at"?: string
                  }
                  Update: {
                    "codec"?: string | null,"dataset_id"?: string,"dedupe_keys"?: (string)[] | null,"healthy_row_group_bytes"?: number | null,"keep_periods"?: number | null,"keep_rows_seconds"?: number | null,"max_age_seconds"?: number | null,"min_inputs"?: number | null,"retention_seconds"?: number | null,"sort_keys"?: (string)[] | null,"table"?: string,"target_file_bytes"?: number | null,"target_page_bytes"?: number | null,"target_row_group_bytes"?: number | null,"unite_uuid_as_text"?: boolean | null,"updated_at"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "table_settings_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "table_settings_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"uploads": {
                  Row: {
                    "answer": Json | null,"content_hash": string,"created_at": string,"dataset_id": string,"id": string,"metric_id": string | null,"object_key": string,"offsets_digest": string,"period_tag": string,"period_tags": (string)[] | null,"row_counts": (number)[] | null,"run_ids": (string)[] | null,"seqs": (number)[] | null,"size": number,"slices": string | null,"table": string,"tables": (string)[] | null,"user_id": string,"version": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "answer"?: Json | null,"content_hash": string,"created_at"?: string,"dataset_id": string,"id": string,"metric_id"?: string | null,"object_key": string,"offsets_digest": string,"period_tag": string,"period_tags"?: (string)[] | null,"row_counts"?: (number)[] | null,"run_ids"?: (string)[] | null,"seqs"?: (number)[] | null,"size": number,"slices"?: string | null,"table": string,"tables"?: (string)[] | null,"user_id": string,"version"?: number | null
                  }
                  Update: {
                    "answer"?: Json | null,"content_hash"?: string,"created_at"?: string,"dataset_id"?: string,"id"?: string,"metric_id"?: string | null,"object_key"?: string,"offsets_digest"?: string,"period_tag"?: string,"period_tags"?: (string)[] | null,"row_counts"?: (number)[] | null,"run_ids"?: (string)[] | null,"seqs"?: (number)[] | null,"size"?: number,"slices"?: string | null,"table"?: string,"tables"?: (string)[] | null,"user_id"?: string,"version"?: number | null
                  }
                  Relationships: [
                    
                  ]
                },"user_growth": {
                  Row: {
                    "at": string,"partitions": number,"schemas": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "at": string,"partitions"?: number,"schemas"?: number,"user_id": string
                  }
                  Update: {
                    "at"?: string,"partitions"?: number,"schemas"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"user_limits": {
                  Row: {
                    "asset_bytes_max": number | null,"asset_extensions": (string)[] | null,"datasets_max": number | null,"open_stages_max": number | null,"partitions_max": number | null,"partitions_per_minute": number | null,"requests_per_minute": number | null,"schemas_per_minute": number | null,"stored_bytes_max": number | null,"tables_max": number | null,"updated_at": string,"upload_bytes_per_day": number | null,"uploads_per_minute": number | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "asset_bytes_max"?: number | null,"asset_extensions"?: (string)[] | null,"datasets_max"?: number | null,"open_stages_max"?: number | null,"partitions_max"?: number | null,"partitions_per_minute"?: number | null,"requests_per_minute"?: number | null,"schemas_per_minute"?: number | null,"stored_bytes_max"?: number | null,"tables_max"?: number | null,"updated_at"?: string,"upload_bytes_per_day"?: number | null,"uploads_per_minute"?: number | null,"user_id": string
                  }
                  Update: {
                    "asset_bytes_max"?: number | null,"asset_extensions"?: (string)[] | null,"datasets_max"?: number | null,"open_stages_max"?: number | null,"partitions_max"?: number | null,"partitions_per_minute"?: number | null,"requests_per_minute"?: number | null,"schemas_per_minute"?: number | null,"stored_bytes_max"?: number | null,"tables_max"?: number | null,"updated_at"?: string,"upload_bytes_per_day"?: number | null,"uploads_per_minute"?: number | null,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"user_usage": {
                  Row: {
                    "asset_bytes": number,"day_bytes": number,"day_start": string,"minute_requests": number,"minute_start": string,"minute_uploads": number,"open_stages": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "asset_bytes"?: number,"day_bytes": number,"day_start": string,"minute_requests"?: number,"minute_start": string,"minute_uploads": number,"open_stages"?: number,"user_id": string
                  }
                  Update: {
                    "asset_bytes"?: number,"day_bytes"?: number,"day_start"?: string,"minute_requests"?: number,"minute_start"?: string,"minute_uploads"?: number,"open_stages"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"worker_slots": {
                  Row: {
                    "slot": number
                  }
                  ComputedFields: never
                  Insert: {
                    "slot": number
                  }
                  Update: {
                    "slot"?: number
                  }
                  Relationships: [
                    
                  ]
                }
          }
          Views: {
            "dataset_status": {
                  Row: {
                    "compaction_in_progress": boolean | null,"compaction_needed": boolean | null,"compression_ratio": number | null,"created_at": string,"dead_partitions": number | null,"debt_bytes": number | null,"debt_files": number | null,"debt_oldest": string | null,"file_count": number,"file_etag": string | null,"file_size_bytes": number,"id": string,"last_compacted_at": string | null,"left_alone_files": number | null,"name": string,"oldest_kept_version": number,"row_count": number,"updated_at": string,"user_id": string,"version": number
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"dead_letter_summary": {
                  Row: {
                    "datasets": number | null,"error_code": string,"first_failed_at": string | null,"last_failed_at": string | null,"open": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"lake_left_out": {
                  Row: {
                    "column_name": string | null,"dataset_id": string | null,"file_id": number | null,"kind": string | null,"lake_table": string | null,"left_at": string | null,"reason": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"partition_status": {
                  Row: {
                    "dataset_id": string,"dead_since": string | null,"debt_bytes": number | null,"debt_files": number | null,"debt_oldest": string | null,"last_considered_at": string | null,"last_decision": string | null,"lease_expires_at": string | null,"lease_worker": string | null,"left_alone_files": number,"next_due_at": string | null,"next_run_id": string | null,"period_tag": string,"queue": string | null,"run_id": string | null,"state": string | null,"table": string,"unseen_demand": number | null
                  }
                  ComputedFields: never
                  Insert: {
                           "dataset_id"?: string | null,"dead_since"?: string | null,"debt_bytes"?: never,"debt_files"?: never,"debt_oldest"?: string | null,"last_considered_at"?: string | null,"last_decision"?: string | null,"lease_expires_at"?: string | null,"lease_worker"?: string | null,"left_alone_files"?: number | null,"next_due_at"?: never,"next_run_id"?: string | null,"period_tag"?: string | null,"queue"?: string | null,"run_id"?: string | null,"state"?: never,"table"?: string | null,"unseen_demand"?: never
                         }
                        Update: {
                           "dataset_id"?: string | null,"dead_since"?: string | null,"debt_bytes"?: never,"debt_files"?: never,"debt_oldest"?: string | null,"last_considered_at"?: string | null,"last_decision"?: string | null,"lease_expires_at"?: string | null,"lease_worker"?: string | null,"left_alone_files"?: number | null,"next_due_at"?: never,"next_run_id"?: string | null,"period_tag"?: string | null,"queue"?: string | null,"run_id"?: string | null,"state"?: never,"table"?: string | null,"unseen_demand"?: never
                         }
                        Relationships: [
                    {
      foreignKeyName: "partitions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "dataset_status"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "partitions_dataset_id_fkey"
      columns: ["dataset_id"]
isOneToOne: false
      referencedRelation: "datasets"
      referencedColumns: ["id"]
    }
                  ]
                },"quarantined_files": {
                  Row: {
                    "byte_length": number,"dataset_id": string,"id": number,"object_key": string,"period_tag": string,"quarantine_code": string | null,"quarantine_reason": string | null,"quarantined_at": string | null,"row_count": number,"start_byte": number,"table": string,"uploaded_at": string
                  }
                  ComputedFields: never
                  Insert: {
                           "byte_length"?: number | null,"dataset_id"?: string | null,"id"?: number | null,"object_key"?: string | null,"period_tag"?: string | null,"quarantine_code"?: string | null,"quarantine_reason"?: string | null,"quarantined_at"?: string | null,"row_count"?: number | null,"start_byte"?: number | null,"table"?: string | null,"uploaded_at"?: string | null
                         }
                        Update: {
                           "byte_length"?: number | null,"dataset_id"?: string | null,"id"?: number | null,"object_key"?: string | null,"period_tag"?: string | null,"quarantine_code"?: string | null,"quarantine_reason"?: string | null,"quarantined_at"?: string | null,"row_count"?: number | null,"start_byte"?: number | null,"table"?: string | null,"uploaded_at"?: string | null
                         }
                        Relationships: [
                    {
      foreignKeyName: "battle_files_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partition_status"
      referencedColumns: ["dataset_id","table","period_tag"]
    },{
      foreignKeyName: "battle_files_dataset_id_table_period_tag_fkey"
      columns: ["dataset_id","table","period_tag"]
isOneToOne: false
      referencedRelation: "partitions"
      referencedColumns: ["dataset_id","table","period_tag"]
    },{
      foreignKeyName: "battle_files_object_key_fkey"
      columns: ["object_key"]
isOneToOne: false
      referencedRelation: "objects"
      referencedColumns: ["object_key"]
    }
                  ]
                },"queue_status": {
                  Row: {
                    "due": number | null,"messages": number | null,"newest_at": string | null,"oldest_due_at": string | null,"queue": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"row_limit_probe": {
                  Row: {
                    "n": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"setting_warnings": {
                  Row: {
                    "column_name": string | null,"dataset_id": string | null,"settings": string | null,"table": string | null,"warning": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                },"store_differences": {
                  Row: {
                    "dataset_id": string | null,"detail": string,"file_id": number | null,"kind": string,"level": number | null,"looked_at": string,"object_key": string,"object_kind": string | null,"period_tag": string | null,"row_count": number | null,"since": string,"table": string | null
                  }
                  ComputedFields: never
                  Relationships: [
                    
                  ]
                }
          }
          Functions: {
            "abandon_upload":
{ Args: { "p_stage": string,"p_user": string }; Returns: Json
                           },
"accept_invitation":
{ Args: { "p_token": string,"p_user": string }; Returns: Json
                           },
"advance_deletions":
{ Args: { "p_deletion"?: string,"p_limit"?: number }; Returns: Json
                           },
"approve_lake_table":
{ Args: { "p_name": string }; Returns: Json
                           },
"begin_store_check":
{ Args: { "p_full"?: boolean,"p_restart"?: boolean }; Returns: Json
                           },
"call_long_quietly":
{ Args: { "p_args": Json,"p_function": string }; Returns: Json
                           },
"call_quietly":
{ Args: { "p_args": Json,"p_function": string }; Returns: Json
                           },
"catalog_health":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"change_settings":
{ Args: { "p_by"?: string,"p_changes"?: Json,"p_dataset"?: string,"p_of_user"?: string,"p_reset"?: (string)[],"p_settings": string,"p_table"?: string }; Returns: Json
                           },
"claim_alerts":
{ Args: { "p_alert"?: number,"p_lease_seconds"?: number,"p_limit"?: number }; Returns: Json
                           },
"claim_compaction":
{ Args: { "p_lease_seconds"?: number,"p_worker": string }; Returns: Json
                           },
"claim_ended_keys":
{ Args: { "p_limit"?: number }; Returns: Json
                           },
"commit_asset":
{ Args: { "p_content_hash": string,"p_etag": string,"p_size": number,"p_stage": string,"p_user": string }; Returns: Json
                           },
"commit_compaction":
{ Args: { "p_input_keys"?: (string)[],"p_inputs": (number)[],"p_last": boolean,"p_n": number,"p_output": Json,"p_remakes"?: number,"p_result": Json,"p_run": string,"p_token": number }; Returns: Json
                           },
"commit_key":
{ Args: { "p_key": string,"p_user": string }; Returns: Json
                           },
"commit_lake_metadata":
{ Args: { "p_claim": Json,"p_list": Json,"p_manifests": Json,"p_metadata": Json,"p_text": string }; Returns: Json
                           },
"commit_split":
{ Args: { "p_copies": Json,"p_missing"?: boolean,"p_object_key": string }; Returns: Json
                           },
"commit_store_check":
{ Args: { "p_etags"?: Json,"p_found"?: Json,"p_intact"?: (number)[],"p_list"?: Json,"p_probed"?: boolean,"p_read"?: Json,"p_sound"?: (string)[],"p_token": number }; Returns: Json
                           },
"commit_upload":
{ Args: { "p_content_hash": string,"p_etag": string,"p_files": Json,"p_object_size"?: number,"p_size": number,"p_stage": string,"p_user": string }; Returns: Json
                           },
"commit_vacuum":
{ Args: { "p_keys": (string)[] }; Returns: Json
                           },
"compare_objects":
{ Args: { "p_after": string,"p_keys": (string)[],"p_last": boolean }; Returns: Json
                           },
"count_problems":
{ Args: { "p_counts": Json }; Returns: Json
                           },
"delete_data":
{ Args: { "p_dataset": string,"p_period_tag"?: string,"p_purge"?: boolean,"p_table"?: string,"p_user": string }; Returns: Json
                           },
"delete_upload":
{ Args: { "p_merged"?: boolean,"p_purge"?: boolean,"p_upload": string,"p_user": string }; Returns: Json
                           },
"delete_user":
{ Args: { "p_by"?: string,"p_purge"?: boolean,"p_user": string }; Returns: Json
                           },
"deletion_status":
{ Args: { "p_deletion": string,"p_user": string }; Returns: Json
                           },
"deployment_findings":
{ Args: { "p_ping"?: number }; Returns: Json
                           },
"drain_dead_letters":
{ Args: { "p_limit"?: number }; Returns: Json
                           },
"drop_dead_letters":
{ Args: { "p_ids": (number)[],"p_user": string }; Returns: Json
                           },
"end_aged":
{ Args: { "p_limit"?: number,"p_partitions"?: number }; Returns: Json
                           },
"expire_leases":
{ Args: { "p_limit"?: number }; Returns: Json
                           },
"fail_compaction":
{ Args: { "p_class"?: string,"p_code": string,"p_message": string,"p_part"?: string,"p_permanent": boolean,"p_run": string,"p_step": string,"p_token": number }; Returns: Json
                           },
"find_objects":
{ Args: { "p_keys": (string)[] }; Returns: Json
                           },
"finish_alert":
{ Args: { "p_alert": number,"p_error"?: string,"p_sent": boolean,"p_taken"?: (string)[] }; Returns: Json
                           },
"finish_ended_key":
{ Args: { "p_key": string }; Returns: Json
                           },
"finish_probe":
{ Args: { "p_code"?: string,"p_message"?: string,"p_passed": boolean,"p_token": number }; Returns: Json
                           },
"get_asset":
{ Args: { "p_key": string,"p_user": string }; Returns: Json
                           },
"get_asset_upload":
{ Args: { "p_stage": string,"p_user": string }; Returns: Json
                           },
"get_file":
{ Args: { "p_file": number,"p_user": string }; Returns: Json
                           },
"get_upload":
{ Args: { "p_stage": string,"p_user": string }; Returns: Json
                           },
"group_upload_calls":
{ Args: { "p_commits": Json,"p_stages": Json }; Returns: Json
                           },
"invite_member":
{ Args: { "p_dataset": string,"p_invitee"?: string,"p_keep_role"?: string,"p_role": string,"p_ttl_seconds"?: number,"p_user": string }; Returns: Json
                           },
"list_assets":
{ Args: { "p_cursor"?: string,"p_limit"?: number,"p_prefix"?: string,"p_user": string }; Returns: Json
                           },
"list_datasets":
{ Args: { "p_cursor"?: string,"p_limit"?: number,"p_user": string }; Returns: Json
                           },
"list_dead_letters":
{ Args: { "p_cursor"?: string,"p_dataset"?: string,"p_limit"?: number,"p_user": string }; Returns: Json
                           },
"list_files":
{ Args: { "p_cursor"?: string,"p_dataset": string,"p_from"?: string,"p_limit"?: number,"p_period_tag"?: string,"p_table"?: string,"p_to"?: string,"p_user": string,"p_version"?: number }; Returns: Json
                           },
"list_fragments":
{ Args: { "p_cursor": string,"p_limit"?: number,"p_run": string,"p_token": number }; Returns: Json
                           },
"list_keys":
{ Args: { "p_dataset": string,"p_user": string }; Returns: Json
                           },
"list_lake":
{ Args: { "p_after"?: string,"p_limit"?: number,"p_namespace"?: string,"p_user": string }; Returns: Json
                           },
"list_members":
{ Args: { "p_dataset": string,"p_user": string }; Returns: Json
                           },
"list_objects":
{ Args: { "p_cursor"?: string,"p_limit"?: number,"p_state"?: string }; Returns: Json
                           },
"list_partitions":
{ Args: { "p_cursor"?: string,"p_dataset"?: string,"p_limit"?: number,"p_period_tag"?: string,"p_state"?: string,"p_table"?: string,"p_user": string }; Returns: Json
                           },
"list_quarantined":
{ Args: { "p_dataset"?: string,"p_limit"?: number,"p_user": string }; Returns: Json
                           },
"list_rewrites":
{ Args: { "p_dataset": string,"p_user": string }; Returns: Json
                           },
"list_runs":
{ Args: { "p_before"?: string,"p_dataset"?: string,"p_failed"?: boolean,"p_limit"?: number,"p_period_tag"?: string,"p_table"?: string,"p_user": string }; Returns: Json
                           },
"list_tables":
{ Args: { "p_cursor"?: string,"p_dataset": string,"p_limit"?: number,"p_user": string,"p_version"?: number }; Returns: Json
                           },
"list_unsettled_outputs":
{ Args: { "p_after"?: number,"p_inputs"?: (number)[],"p_limit"?: number }; Returns: Json
                           },
"load_lake_table":
{ Args: { "p_namespace": string,"p_seconds"?: number,"p_table": string,"p_user": string }; Returns: Json
                           },
"mark_for_rewrite":
{ Args: { "p_files": Json }; Returns: Json
                           },
"object_limit":
{ Args: { "p_bucket"?: string }; Returns: Json
                           },
"open_key":
{ Args: { "p_secret_hash": string }; Returns: Json
                           },
"pass_control":
{ Args: { "p_run": string,"p_token": number }; Returns: Json
                           },
"ping_deployment":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"plan_vacuum":
{ Args: { "p_dataset"?: string,"p_dry_run"?: boolean,"p_limit"?: number }; Returns: Json
                           },
"prune_history":
{ Args: { "p_limit"?: number,"p_seconds"?: number }; Returns: Json
                           },
"quarantine_file":
{ Args: { "p_code": string,"p_file": number,"p_object_key"?: string,"p_reason": string,"p_run": string,"p_token": number }; Returns: Json
                           },
"raise_test_alert":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"read_metrics":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"read_overview":
{ Args: { "p_seconds"?: number,"p_user": string }; Returns: Json
                           },
"read_settings":
{ Args: { "p_dataset"?: string,"p_of_user"?: string,"p_table"?: string }; Returns: Json
                           },
"record_step":
{ Args: { "p_progress"?: Json,"p_result"?: Json,"p_run": string,"p_step": string,"p_token": number }; Returns: Json
                           },
"redrive_dead_letters":
{ Args: { "p_filter"?: Json,"p_ids"?: (number)[],"p_limit"?: number,"p_user": string }; Returns: Json
                           },
"remove_member":
{ Args: { "p_dataset": string,"p_member": string,"p_user": string }; Returns: Json
                           },
"rename_table":
{ Args: { "p_dataset": string,"p_name": string,"p_table": string,"p_user": string }; Returns: Json
                           },
"renew_lease":
{ Args: { "p_run": string,"p_seconds"?: number,"p_token": number }; Returns: Json
                           },
"request_compaction":
{ Args: { "p_dataset": string,"p_period_tag"?: string,"p_priority"?: string,"p_table"?: string,"p_user": string }; Returns: Json
                           },
"request_rewrite":
{ Args: { "p_dataset": string,"p_period_tag"?: string,"p_stop"?: boolean,"p_table": string,"p_user": string }; Returns: Json
                           },
"retry_quarantined":
{ Args: { "p_dataset": string,"p_files"?: (number)[],"p_user": string }; Returns: Json
                           },
"revoke_invitation":
{ Args: { "p_dataset": string,"p_invitation": string,"p_user": string }; Returns: Json
                           },
"revoke_key":
{ Args: { "p_dataset": string,"p_key": string,"p_user": string }; Returns: Json
                           },
"run_status":
{ Args: { "p_run": string,"p_user": string }; Returns: Json
                           },
"run_timeline":
{ Args: { "p_run": string,"p_user": string }; Returns: Json
                           },
"schema_version":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"set_apart":
{ Args: { "p_files": Json,"p_planner": number,"p_run": string,"p_token": number }; Returns: Json
                           },
"settle_outputs":
{ Args: { "p_files": Json }; Returns: Json
                           },
"sign_lake_object":
{ Args: { "p_key": string,"p_namespace"?: string,"p_table"?: string,"p_user": string }; Returns: Json
                           },
"stage_asset":
{ Args: { "p_content_hash": string,"p_direct"?: boolean,"p_file_name": string,"p_key": string,"p_max_put_seconds"?: number,"p_relative_path": string,"p_size": number,"p_ttl_seconds"?: number,"p_user": string }; Returns: Json
                           },
"stage_key":
{ Args: { "p_dataset": string,"p_label": string,"p_secret_hash": string,"p_ttl_seconds": number,"p_user": string }; Returns: Json
                           },
"stage_output":
{ Args: { "p_expected_bytes": number,"p_inputs"?: (number)[],"p_n": number,"p_remakes"?: number,"p_run": string,"p_token": number }; Returns: Json
                           },
"stage_splits":
{ Args: { "p_dataset"?: string,"p_limit"?: number }; Returns: Json
                           },
"stage_upload":
{ Args: { "p_again"?: boolean,"p_content_hash": string,"p_dataset": string,"p_details"?: Json,"p_idempotency_key"?: string,"p_kind"?: string,"p_max_put_seconds"?: number,"p_offsets"?: Json,"p_offsets_digest": string,"p_own_dataset"?: boolean,"p_period_tag": string,"p_size": number,"p_table": string,"p_ttl_seconds"?: number,"p_user": string }; Returns: Json
                           },
"sweep":
{ Args: { "p_limit"?: number }; Returns: Json
                           },
"tick":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"trigger_scheduled":
{ Args: { "p_concurrency"?: number,"p_delay_ms"?: number,"p_max_datasets"?: number,"p_max_partitions"?: number }; Returns: Json
                           },
"version_at":
{ Args: { "p_dataset": string,"p_time": string,"p_user": string }; Returns: Json
                           },
"wake_vacuum":
{ Args: Record<PropertyKey, never>; Returns: Json
                           },
"watch_health":
{ Args: { "p_close"?: boolean }; Returns: Json
                           },
"withdraw_lake_table":
{ Args: { "p_name": string }; Returns: Json
                           }
          }
          Enums: {
            [_ in never]: never
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            
          }
        }
} as const
