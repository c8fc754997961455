-- c391899a6442ffa5bd38db5eea7b0dc2e4e0f7af38f8ef9fea04a67a6fb25a86
-- It was made anew from its lake once.
insert into rebuild (started_at, finished_at) values ('2018-03-04 12:00+00', '2018-03-04 12:01+00');
