{#-
    What an entity is now. With a key: the newest version of each key, gone when that version is a delete. Without one:
    of each source the newest load, whole, as exact copies are real; only an event that was resent counts once.
    Canary events watch the pipeline and never reach a model.
-#}
{%- macro newest_versions(entity) -%}
    {%- if silver_key(entity) -%}
        {{- return(newest_of_key(entity)) -}}
    {%- else -%}
        {{- return(newest_load(entity)) -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro newest_of_key(entity) -%}
with ranked as (
    select
        silver.*,
        row_number() over (
            partition by {{ silver_key(entity) | join(', ') }}
            order by
                occurred_at desc nulls last,
                broker_time desc nulls last,
                pos_log desc,
                pos_partition desc,
                pos_offset desc
        ) as version_rank
    from {{ silver(entity) }} as silver
    where coalesce(source, '') <> 'canary'
)

select
    {{ staging_columns(entity) | join(',\n    ') }}
from ranked
where version_rank = 1 and coalesce(op, 'upsert') <> 'delete'
{%- endmacro -%}

{%- macro newest_load(entity) -%}
with live as (
    select silver.*
    from {{ silver(entity) }} as silver
    where coalesce(source, '') <> 'canary' and coalesce(op, 'upsert') <> 'delete'
),

loads as (
    select
        coalesce(source, '') as load_source,
        pos_log as load_log,
        row_number() over (
            partition by coalesce(source, '')
            order by max(occurred_at) desc nulls last, max(broker_time) desc nulls last, pos_log desc
        ) as load_rank
    from live
    group by coalesce(source, ''), pos_log
),

ranked as (
    select
        live.*,
        row_number() over (
            partition by live.pos_log, coalesce(live.source, ''), live.event_id
            order by live.pos_partition, live.pos_offset
        ) as copy_rank
    from live
    inner join loads
        on coalesce(live.source, '') = loads.load_source
        and live.pos_log = loads.load_log
        and loads.load_rank = 1
)

select
    {{ staging_columns(entity) | join(',\n    ') }}
from ranked
where copy_rank = 1
{%- endmacro -%}
