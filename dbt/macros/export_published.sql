{#-
    Runs after everything. On DuckDB each published model becomes <work folder>/export/<model>.parquet, in the order of
    its columns, so that the same rows give the same file; nothing when any model or test failed. Athena's tables are
    where readers look already.
-#}
{%- macro export_published(results) -%}
    {%- if execute and flags.WHICH == 'build' and not (results | selectattr('status', 'in', ['error', 'fail']) | list) -%}
        {{- adapter.dispatch('export_published')() -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro default__export_published() -%}
{%- endmacro -%}

{%- macro duckdb__export_published() -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.meta.get('published') -%}
        {%- do run_query(
            "copy (from " ~ node.relation_name ~ " order by all) to '"
            ~ work_file('export/' ~ node.name ~ '.parquet') | replace("'", "''") ~ "' (format parquet, compression snappy)"
        ) -%}
    {%- endfor -%}
{%- endmacro -%}
