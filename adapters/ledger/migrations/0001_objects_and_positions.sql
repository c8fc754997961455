-- The record of what is where. Migrations only expand; each runs once, in the order of its number.

-- One row per partition of a log. Offsets are half open: [start, end).
create table partition_state (
    log          text           not null,
    topic        text           not null,
    partition    int            not null,
    entity       text           not null,
    landed       int8multirange not null default '{}',  -- offsets of committed objects
    broker_start bigint,                                -- first offset the broker ever held
    broker_end   bigint,                                -- behind the last offset seen or acknowledged
    observed_at  timestamptz,
    closed_at    timestamptz,                           -- the broker is gone, the end is final
    primary key (log, topic, partition)
);

-- Offsets that will never land, each with its reason (expired, transaction marker, broker lost).
create table void_range (
    log       text        not null,
    topic     text        not null,
    partition int         not null,
    offsets   int8range   not null,
    reason    text        not null,
    noted_at  timestamptz not null,
    primary key (log, topic, partition, offsets),
    foreign key (log, topic, partition) references partition_state
);

-- What is void now: an object may still land where a range had been given up.
create view void_now as
select v.log, v.topic, v.partition, part as offsets, v.reason
from void_range v
join partition_state p using (log, topic, partition)
cross join lateral unnest(int8multirange(v.offsets) - p.landed) part;

-- One row per Bronze object, from its metadata.
create table object (
    id                bigint generated always as identity primary key,
    bronze_key        text        not null unique,
    entity            text        not null,
    log               text        not null,
    topic             text        not null,
    partition         int         not null,
    first_offset      bigint      not null,
    end_offset        bigint      not null,
    previous_end      bigint      not null,
    void_reason       text        not null,
    topic_id          text        not null,
    rows              bigint      not null,
    hash_sum          numeric(20) not null,  -- unsigned, mod 2^64
    first_broker_time bigint      not null,  -- ms
    etag              text        not null,
    size              bigint      not null,
    state             text        not null check (state in ('open', 'committed', 'overlap', 'gone')),
    revision          int         not null,  -- the one open, or the newest committed
    erased_rows       bigint      not null default 0,
    erased_hash_sum   numeric(20) not null default 0,
    problem           text,
    first_seen_at     timestamptz not null,
    committed_at      timestamptz
);
create index object_by_position on object (log, topic, partition, first_offset);
create index object_uncommitted on object (state) where state <> 'committed';

-- What each revision was pinned to and what it put where. Silver is the union of the committed ones, Quarantine the
-- newest committed one.
create table revision (
    object_id           bigint      not null references object,
    revision            int         not null,
    state               text        not null check (state in ('open', 'committed', 'abandoned')),
    contract_version    text        not null,
    rules_hash          text        not null,
    attempts            int         not null default 0,
    opened_at           timestamptz not null,
    committed_at        timestamptz,
    silver_key          text,
    silver_rows         bigint      not null default 0,
    silver_hash_sum     numeric(20) not null default 0,
    quarantine_key      text,
    quarantine_rows     bigint      not null default 0,
    quarantine_hash_sum numeric(20) not null default 0,
    reasons             jsonb       not null default '{}',  -- rows by error rule
    warnings            jsonb       not null default '{}',  -- rows by warn rule
    primary key (object_id, revision)
);
