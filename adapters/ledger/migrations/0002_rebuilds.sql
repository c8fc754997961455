-- A ledger made anew from the lake. Without `finished_at` it is not whole yet: the rebuild is to be run again.
create table rebuild (
    started_at  timestamptz primary key,
    finished_at timestamptz
);
