-- A load replaces the one before it, so any row that arrives touches all zip codes; those that come out the same touch
-- nothing further.
{% if adds() -%}
select geolocation_zip_code_prefix as unit
from {{ ref('stg_geolocation') }}
where exists (select 1 from {{ rows_after(ref('current_geolocation')) }}) and geolocation_zip_code_prefix is not null

union

select zip_code_prefix as unit
from {{ kept('int_zip_coordinates') }}
where exists (select 1 from {{ rows_after(ref('current_geolocation')) }})
{%- else -%}
{{ no_unit() }}
{%- endif %}
