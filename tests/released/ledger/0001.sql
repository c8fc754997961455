-- bd953601901ff1b4f45a248f2e5ebfc621f78d812b31b388ecb7046102523807
-- Ten committed orders (two of them held), ten that were opened, five offsets lost with their broker.
insert into partition_state (log, topic, partition, entity, landed, broker_start, broker_end, observed_at, closed_at)
values ('emb-1', 'orders.v1', 0, 'orders', '{[0,10)}', 0, 35, '2018-03-04 12:00+00', '2018-03-04 12:01+00');
insert into void_range (log, topic, partition, offsets, reason, noted_at)
values ('emb-1', 'orders.v1', 0, '[30,35)', 'broker lost', '2018-03-04 12:01+00');
insert into object (bronze_key, entity, log, topic, partition, first_offset, end_offset, previous_end, void_reason,
                    topic_id, rows, hash_sum, first_broker_time, etag, size, state, revision, first_seen_at, committed_at)
values ('orders/year=2018/month=03/day=04/emb-1+0+00000000000000000000.parquet', 'orders', 'emb-1', 'orders.v1', 0,
        0, 10, 0, '', '', 10, 18446744073709551615, 1520164800000, 'e1', 1000, 'committed', 0, '2018-03-04 12:00+00',
        '2018-03-04 12:00+00'),
       ('orders/year=2018/month=03/day=04/emb-1+0+00000000000000000010.parquet', 'orders', 'emb-1', 'orders.v1', 0,
        10, 20, 10, '', '', 10, 18446744073709551605, 1520164800000, 'e1', 1000, 'open', 0, '2018-03-04 12:00+00',
        null);
insert into revision (object_id, revision, state, contract_version, rules_hash, attempts, opened_at, committed_at,
                      silver_key, silver_rows, silver_hash_sum, quarantine_key, quarantine_rows, quarantine_hash_sum,
                      reasons, warnings)
select id, 0, state, '1.0.0', 'aaaaaaaaaaaaaaaa', 1, '2018-03-04 12:00+00', committed_at,
       case when committed then 'orders/v1/year=2018/month=03/day=04/emb-1+0+00000000000000000000+r0.parquet' end,
       case when committed then 8 else 0 end, case when committed then 18446744073709551601 else 0 end,
       case when committed then 'orders/v1/year=2018/month=03/day=04/emb-1+0+00000000000000000000+r0.parquet' end,
       case when committed then 2 else 0 end, case when committed then 14 else 0 end,
       case when committed then '{"order_id_is_id": 2}' else '{}' end :: jsonb, '{}'
from (select *, state = 'committed' as committed from object) o;
