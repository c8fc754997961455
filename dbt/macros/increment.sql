{#-
    How a build adds to what earlier builds have kept. Models of the materialization `increment` are kept between builds.
    Each has a `unit`, a column that is never null: a build replaces whole units, all rows of the touched ones, and reads
    of what is kept only those. A full build takes the same models over all of Silver, and nothing that was kept.
-#}

{#- Whether this build adds to what is kept; true while dbt reads the project, so that it sees every ref. -#}
{%- macro adds() -%}
    {{- return(not (execute and flags.FULL_REFRESH)) -}}
{%- endmacro -%}

{#- A condition that leaves the touched units; `touched` is a model with the column `unit`. -#}
{%- macro is_touched(column, touched) -%}
    {%- if adds() -%}
        {{ column }} in (select unit from {{ touched }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro -%}

{#-
    A condition that leaves of an increment what its touched rows join to: else the engine may take the whole of the other
    table into memory for them.
-#}
{%- macro is_among(column, rows) -%}
    {%- if adds() -%}
        {{ column }} in ({{ rows }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro -%}

{#- No unit at all: what a model of touched units is in a full build. -#}
{%- macro no_unit() -%}
select cast(null as varchar) as unit where false
{%- endmacro -%}

{#- Rows that an increment has changed: as they were and as they are, where these differ in one of the columns. -#}
{%- macro changed_rows(relation, columns, condition='true') -%}
(
    select {{ columns | join(', ') }} from (
        select {{ columns | join(', ') }} from {{ rows_before(relation) }} where {{ condition }}
        except
        select {{ columns | join(', ') }} from {{ rows_after(relation) }} where {{ condition }}
    ) as gone
    union all
    select {{ columns | join(', ') }} from (
        select {{ columns | join(', ') }} from {{ rows_after(relation) }} where {{ condition }}
        except
        select {{ columns | join(', ') }} from {{ rows_before(relation) }} where {{ condition }}
    ) as come
)
{%- endmacro -%}

{#- `changed_rows` of an entity: a version that is newer and says the same changes nothing. -#}
{%- macro changed(entity) -%}
    {{- return(changed_rows(ref('current_' ~ entity), staging_columns(entity), is_live())) -}}
{%- endmacro -%}

{#- `changed_rows` of the zip codes' coordinates. -#}
{%- macro changed_zips() -%}
    {{- return(changed_rows(ref('int_zip_coordinates'), ['zip_code_prefix', 'latitude', 'longitude'])) -}}
{%- endmacro -%}

{#- Rows of the touched units as this build makes them, as they were kept, and all that is kept of a model. -#}
{%- macro rows_after(relation) -%}
    {{- return(adapter.dispatch('rows_after')(relation)) -}}
{%- endmacro -%}

{%- macro rows_before(relation) -%}
    {{- return(adapter.dispatch('rows_before')(relation)) -}}
{%- endmacro -%}

{%- macro kept(name) -%}
    {{- return(adapter.dispatch('kept')(name)) -}}
{%- endmacro -%}

{%- macro default__rows_after(relation) -%}
    {{- return(relation ~ '__after') -}}
{%- endmacro -%}

{%- macro default__rows_before(relation) -%}
    {{- return(relation ~ '__before') -}}
{%- endmacro -%}

{%- macro default__kept(name) -%}
    {{- return(api.Relation.create(database=this.database, schema=this.schema, identifier=name)) -}}
{%- endmacro -%}

{#- The build itself runs in memory; what was kept is the database attached beside it, and only read. -#}
{%- macro duckdb__rows_after(relation) -%}
    {{- return(relation.identifier ~ '__after') -}}
{%- endmacro -%}

{%- macro duckdb__rows_before(relation) -%}
    {{- return(relation.identifier ~ '__before') -}}
{%- endmacro -%}

{%- macro duckdb__kept(name) -%}
    {{- return('kept.main.' ~ name) -}}
{%- endmacro -%}

{#-
    DuckDB: <model>__touched names the touched units (of an entity those that have arrived), <model>__before holds them
    as they were kept, <model>__after as they are now, and <model> is the whole. Nothing is written to what is kept:
    whoever started the build does that, in one transaction, when all of it has succeeded.
-#}
{%- materialization increment, adapter='duckdb' -%}
    {%- set unit = config.require('unit') -%}
    {%- set touched, entity = config.get('touched'), config.get('entity') -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- if adds() -%}
        {%- set after, before = rows_after(this), rows_before(this) -%}
        {%- set units = this.identifier ~ '__touched' -%}
        {%- call statement('touched') -%}
            create table {{ units }} as
            {% if touched %}select unit from {{ touched }}
            {% else %}select distinct {{ unit }} as unit from {{ silver(entity) }} as silver{% endif %}
        {%- endcall -%}
        {%- call statement('before') -%}
            create table {{ before }} as
            select * from {{ kept(this.identifier) }} where {{ unit }} in (select unit from {{ units }})
        {%- endcall -%}
        {%- call statement('main') -%}
            create table {{ after }} as ({{ sql }})
        {%- endcall -%}
        {%- call statement('whole') -%}
            create view {{ this.identifier }} as
            {# Not `not exists`: DuckDB would group all kept units first, for half a microsecond each. -#}
            select kept_rows.* from {{ kept(this.identifier) }} as kept_rows
            anti join {{ units }} as units on units.unit = kept_rows.{{ unit }}
            union all
            select * from {{ after }}
        {%- endcall -%}
    {%- else -%}
        {%- call statement('main') -%}
            create table {{ this.identifier }} as ({{ sql }})
        {%- endcall -%}
    {%- endif -%}
    {{- adapter.commit() -}}
    {{- return({'relations': [target]}) -}}
{%- endmaterialization -%}

{#- What a test has to look at: of an increment the rows that this build has made, as the others passed before. -#}
{%- macro rows_to_test(relation) -%}
    {%- if execute and adds() -%}
        {%- for node in graph.nodes.values()
            if node.resource_type == 'model' and node.name == relation.identifier and node.config.materialized == 'increment' -%}
            {{- return(rows_after(relation)) -}}
        {%- endfor -%}
    {%- endif -%}
    {{- return(relation) -}}
{%- endmacro -%}
