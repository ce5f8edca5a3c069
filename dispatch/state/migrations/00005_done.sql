-- +goose Up

-- Parked deliveries that are over, and whose rows somebody's open transaction has locked:
-- until they can be removed, they are taken for none. Nearly always empty.
CREATE TABLE done (
    hook_id    bigint  NOT NULL,
    commit_lsn pg_lsn  NOT NULL,
    ordinal    integer NOT NULL,
    timeline   integer NOT NULL,
    reason     text, -- of death; null: delivered, or not wanted any more
    PRIMARY KEY (hook_id, commit_lsn, ordinal, timeline)
);

-- Whoever may use the tables of before may use this one.
DO $$ DECLARE r record; BEGIN FOR r IN SELECT DISTINCT g.grantee FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = 'parked'::regclass AND g.grantee <> 0 LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON done TO %s', r.grantee::regrole); END LOOP; END $$;
