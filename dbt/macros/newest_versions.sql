{#-
    The newest version of each key, deletes too: a row replaces an older one only, however late it comes. Versions are
    ordered by when they occurred, then by their way through the broker; no two rows have the same position. Without a
    key: every row. Canary events watch the pipeline and never reach a model.
-#}
{%- macro current_versions(entity) -%}
    {%- if silver_key(entity) -%}
        {{- return(newest_of_key(entity)) -}}
    {%- else -%}
        {{- return(rows_of_loads(entity)) -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro newest_of_key(entity) -%}
{%- set columns = staging_columns(entity) + version_columns() -%}
with arrived as (
    select
        {{ columns | join(',\n        ') }}
    from {{ silver(entity) }} as silver
    where coalesce(source, '') <> 'canary'
),

versions as (
    select * from arrived
    {%- if adds() %}

    union all

    select * from {{ rows_before(this) }}
    {%- endif %}
),

ranked as (
    select
        versions.*,
        row_number() over (
            partition by {{ silver_key(entity) | join(', ') }}
            order by
                occurred_at desc nulls last,
                broker_time desc nulls last,
                pos_log desc,
                pos_partition desc,
                pos_offset desc
        ) as version_rank
    from versions
)

select
    {{ columns | join(',\n    ') }}
from ranked
where version_rank = 1
{%- endmacro -%}

{#- The unit is the log: its rows are kept, and those that have arrived are added. -#}
{%- macro rows_of_loads(entity) -%}
{%- set columns = staging_columns(entity) + version_columns() + ['event_id', 'source'] -%}
with arrived as (
    select
        {{ columns | join(',\n        ') }}
    from {{ silver(entity) }} as silver
    where coalesce(source, '') <> 'canary'
)

select * from arrived
{%- if adds() %}

union all

select * from {{ rows_before(this) }}
{%- endif %}
{%- endmacro -%}

{#-
    What an entity is now. With a key: gone where the newest version is a delete. Without one: of each source the newest
    load, whole, as exact copies are real; only an event that was resent counts once.
-#}
{%- macro live_rows(entity) -%}
    {%- if silver_key(entity) -%}
        {{- return(live_of_key(entity)) -}}
    {%- else -%}
        {{- return(newest_load(entity)) -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro live_of_key(entity) -%}
select
    {{ staging_columns(entity) | join(',\n    ') }}
from {{ ref('current_' ~ entity) }}
where {{ is_live() }}
{%- endmacro -%}

{%- macro newest_load(entity) -%}
with live as (
    select *
    from {{ ref('current_' ~ entity) }}
    where {{ is_live() }}
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

{#- What orders the versions of a key, and whether one of them deletes it. -#}
{%- macro version_columns() -%}
    {{- return(['op', 'occurred_at', 'broker_time', 'pos_log', 'pos_partition', 'pos_offset']) -}}
{%- endmacro -%}

{%- macro is_live() -%}
coalesce(op, 'upsert') <> 'delete'
{%- endmacro -%}
