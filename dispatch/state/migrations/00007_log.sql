-- +goose Up

-- Deliveries over a log. The epoch of each partition: it is raised when a sender takes the
-- partition, under an advisory lock, and each transaction of that sender checks it.
CREATE TABLE log_partition (
    slot      text    NOT NULL,
    partition integer NOT NULL,
    epoch     bigint  NOT NULL,
    PRIMARY KEY (slot, partition)
);

-- Payloads that are too large for a message of the log, without "action".
CREATE TABLE log_body (
    slot      text   NOT NULL,
    event_id  text   NOT NULL,
    after_seq bigint NOT NULL, -- last sequence of the log when it was written
    payload   bytea  NOT NULL,
    PRIMARY KEY (slot, event_id)
);

-- Which stream is the slot's log: one that was made anew has nothing of what is confirmed.
CREATE TABLE log_stream (
    slot    text        PRIMARY KEY,
    created timestamptz NOT NULL, -- by the clock of the log's server
    seq     bigint      NOT NULL  -- that the log had at the least
);

-- Whoever may use the tables of before may use these.
DO $$ DECLARE r record; BEGIN FOR r IN SELECT DISTINCT g.grantee FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = 'parked'::regclass AND g.grantee <> 0 LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON log_partition, log_body, log_stream TO %s', r.grantee::regrole); END LOOP; END $$;
