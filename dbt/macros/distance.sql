{#-
    Kilometres between two points given in degrees, along the surface of a sphere (haversine, mean radius 6371 km); null
    when one of them is unknown. The condition stands here because `least` skips nulls in DuckDB and not in Athena; it
    keeps rounding at opposite ends of the world inside what asin takes.
-#}
{%- macro kilometres_between(latitude, longitude, other_latitude, other_longitude) -%}
case when {{ latitude }} is not null and {{ other_latitude }} is not null then
    2 * 6371 * asin(sqrt(least(1.0e0,
        power(sin(radians({{ other_latitude }} - {{ latitude }}) / 2), 2)
        + cos(radians({{ latitude }})) * cos(radians({{ other_latitude }}))
        * power(sin(radians({{ other_longitude }} - {{ longitude }}) / 2), 2)
    )))
end
{%- endmacro -%}
