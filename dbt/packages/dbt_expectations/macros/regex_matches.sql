{#- Whether the pattern matches somewhere in the text; null for null. `flags` such as i stand before the pattern. -#}
{%- macro regex_matches(column, regex, is_raw=False, flags='') -%}
    {{- return(adapter.dispatch('regex_matches', 'dbt_expectations')(column, regex, is_raw, flags)) -}}
{%- endmacro -%}

{%- macro default__regex_matches(column, regex, is_raw, flags) -%}
    {{- exceptions.raise_compiler_error('regex_matches is not written for ' ~ target.type ~ ': add it to dbt/packages.') -}}
{%- endmacro -%}

{%- macro duckdb__regex_matches(column, regex, is_raw, flags) -%}
    regexp_matches({{ column }}, {{ dbt_expectations.regex_literal(regex, flags) }})
{%- endmacro -%}

{%- macro athena__regex_matches(column, regex, is_raw, flags) -%}
    regexp_like({{ column }}, {{ dbt_expectations.regex_literal(regex, flags) }})
{%- endmacro -%}

{#- Neither engine reads backslashes in a text, so that `is_raw` changes nothing. -#}
{%- macro regex_literal(regex, flags) -%}
    '{{ ('(?' ~ flags ~ ')' if flags else '') ~ (regex | replace("'", "''")) }}'
{%- endmacro -%}

{#- Whether one of the patterns matches (`any`), or each of them (`all`). -#}
{%- macro regexes_match(column, regex_list, match_on, is_raw, flags, negated=False) -%}
    {%- for regex in regex_list -%}
        {{- 'not ' if negated -}}
        {{- dbt_expectations.regex_matches(column, regex, is_raw, flags) -}}
        {{- (' and ' if match_on == 'all' else ' or ') if not loop.last -}}
    {%- endfor -%}
{%- endmacro -%}
