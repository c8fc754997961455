"""Rules of one domain: a module here is one kind, its `KIND`; `docs/rules.md` says how to add one."""
