{#-
    The average of a column of doubles, the same whatever the order of the rows: a sum of doubles depends on it, a sum
    of decimals does not. Nine decimals: a tenth of a millimetre in degrees, far below any measured quantity here.
-#}
{%- macro exact_average(column) -%}
cast(sum(cast({{ column }} as decimal(28, 9))) as double) / count({{ column }})
{%- endmacro -%}
