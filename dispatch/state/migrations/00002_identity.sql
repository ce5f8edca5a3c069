-- +goose Up

-- The database that the tables belong to. A dump that is restored elsewhere brings the row
-- with it, and differs from it.
CREATE TABLE identity (
    id        integer     PRIMARY KEY DEFAULT 1 CHECK (id = 1), -- one row
    system_id text        NOT NULL, -- of the server; empty: not known
    database  bigint      NOT NULL, -- its oid; 0: not known
    name      text        NOT NULL, -- of the database, for people
    noted_at  timestamptz NOT NULL DEFAULT now()
);

-- Whoever may use the tables of before may use this one.
DO $$ DECLARE r record; BEGIN FOR r IN SELECT DISTINCT g.grantee FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = 'parked'::regclass AND g.grantee <> 0 LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON identity TO %s', r.grantee::regrole); END LOOP; END $$;

-- When somebody asked last for an attempt at once; and since when the application has no
-- such hook, null: it has.
ALTER TABLE hook_setting
    ADD COLUMN retry_at timestamptz,
    ADD COLUMN gone_at timestamptz;
