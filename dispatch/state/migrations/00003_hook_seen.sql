-- +goose Up

-- Which events a hook wanted, from which commit on: a slot is read from a place at which the
-- hooks were not as they are now. Written when that changes, which is seldom. Of each hook
-- the newest row before the slot's position is kept, and those after it.
CREATE TABLE hook_seen (
    slot    text   NOT NULL,
    hook_id bigint NOT NULL,
    lsn     pg_lsn NOT NULL, -- of the commit; 0/0: as it was when the slot was first read
    wanted  text,            -- JSON; null: the hook was not there
    PRIMARY KEY (slot, hook_id, lsn)
);

-- Whoever may use the tables of before may use this one.
DO $$ DECLARE r record; BEGIN FOR r IN SELECT DISTINCT g.grantee FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = 'parked'::regclass AND g.grantee <> 0 LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON hook_seen TO %s', r.grantee::regrole); END LOOP; END $$;
