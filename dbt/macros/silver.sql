{#- The rows of an entity that Gold may read: those of committed Silver objects, in typed columns, in no order. -#}
{%- macro silver(entity) -%}
    {#- Named here so that lineage knows it, whatever the engine makes of it. -#}
    {%- set relation = source('silver', entity) -%}
    {{- return(adapter.dispatch('silver')(entity, relation)) -}}
{%- endmacro -%}

{%- macro default__silver(entity, relation) -%}
    {{- return(relation) -}}
{%- endmacro -%}

{#-
    DuckDB reads an explicit list of files: rows (entity, path) of silver_files.parquet in the work folder, written by
    whoever starts the build. A list in --vars would end at 128 KiB and make dbt parse everything again. The typed empty
    part names the columns where there is no file, and those that files of an older contract version lack.
-#}
{%- macro duckdb__silver(entity, relation) -%}
    {%- set paths = [] -%}
    {%- if execute -%}
        {%- set query -%}
            select path
            from read_parquet('{{ file_pattern(work_file('silver_files.parquet')) }}')
            where entity = '{{ entity }}'
            order by path
        {%- endset -%}
        {%- set paths = run_query(query).columns[0].values() -%}
    {%- endif -%}
    {%- set relation -%}
        (
            select
                {%- for name, type in silver_columns(entity) %}
                cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
                {%- endfor %}
            where false
            {%- if paths %}
            union all by name
            select *
            from read_parquet(
                [
                    {%- for path in paths %}
                    '{{ file_pattern(path) }}'{{ ',' if not loop.last }}
                    {%- endfor %}
                ],
                hive_partitioning = false,
                union_by_name = true
            )
            {%- endif %}
        )
    {%- endset -%}
    {{- return(relation) -}}
{%- endmacro -%}

{#- What a test of a source reads: in DuckDB the files themselves, of which the test's `where` may leave rows out. -#}
{%- macro duckdb__get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- set rows = relation -%}
    {%- if relation.schema == 'silver' -%}
        {%- set rows = silver(relation.identifier) -%}
    {%- endif -%}
    {%- if where -%}
        {%- set rows = '(select * from ' ~ rows ~ ' as tested where ' ~ where ~ ')' -%}
    {%- endif -%}
    {{- return(rows) -}}
{%- endmacro -%}

{#- A path in the work folder of a build. -#}
{%- macro work_file(name) -%}
    {{- return(var('work_dir', '.nexus/model') ~ '/' ~ name) -}}
{%- endmacro -%}

{#- Inside quotes: a pattern that matches exactly this path, as DuckDB takes every path to read for a pattern. -#}
{%- macro file_pattern(path) -%}
    {{- return(path | replace("[", "[[]") | replace("*", "[*]") | replace("?", "[?]") | replace("'", "''")) -}}
{%- endmacro -%}
