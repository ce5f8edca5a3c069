-- +goose Up

-- Deliveries that could not be made yet, and those that never could. The key is
-- the order in which a hook gets them; it needs no second index.
CREATE TABLE parked (
    hook_id         bigint      NOT NULL,
    commit_lsn      pg_lsn      NOT NULL,
    ordinal         integer     NOT NULL,
    timeline        integer     NOT NULL,
    event_id        text        NOT NULL, -- as sent in webhook-id
    action          text        NOT NULL, -- as the hook spells it
    project_id      bigint      NOT NULL,
    task_id         bigint      NOT NULL, -- 0: the whole project's
    committed_at    timestamptz NOT NULL,
    body            bytea       NOT NULL, -- of the request
    bytes           integer     NOT NULL, -- of the body
    attempts        integer     NOT NULL DEFAULT 0,
    added_at        timestamptz NOT NULL, -- the time for retries counts from here
    parked_at       timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz,          -- null: as soon as it is its turn
    state           text        NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'dead')),
    reason          text        NOT NULL DEFAULT '', -- of death
    last_result     text        NOT NULL DEFAULT '', -- of the last attempt
    last_status     integer     NOT NULL DEFAULT 0,  -- HTTP; 0: no answer
    dead_at         timestamptz CHECK ((dead_at IS NULL) = (state = 'parked')),
    redriven        boolean     NOT NULL DEFAULT false, -- and not taken up by a lane yet
    PRIMARY KEY (hook_id, commit_lsn, ordinal, timeline)
) WITH (
    fillfactor = 85, -- room for the attempts, which change no indexed column
    -- A queue is as large as what is in it only if what has left it is soon
    -- reused: vacuum by number of rows, not by a share of the table.
    autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 2000, toast.autovacuum_vacuum_scale_factor = 0
);

-- Bodies are JSON: lz4 halves them as the default does, and parking takes two
-- thirds of the time. A server may be built without it.
DO $$ BEGIN ALTER TABLE parked ALTER COLUMN body SET COMPRESSION lz4; EXCEPTION WHEN feature_not_supported THEN NULL; END $$;

CREATE INDEX parked_dead ON parked (dead_at) WHERE state = 'dead';

CREATE INDEX parked_redriven ON parked (hook_id, commit_lsn, ordinal, timeline) WHERE redriven;

-- What people have said of a hook. No row: nothing.
CREATE TABLE hook_setting (
    hook_id       bigint      PRIMARY KEY,
    adopted       boolean     NOT NULL DEFAULT false, -- delivered although inactive in the application
    paused        boolean     NOT NULL DEFAULT false, -- parked, not delivered
    suspended_at  timestamptz,                        -- more than may be parked for one hook
    suspended_lsn pg_lsn,                             -- the first commit that was not parked
    secrets       bytea[]     NOT NULL DEFAULT '{}' CHECK (cardinality(secrets) <= 2), -- sealed; the newest first
    changed_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((suspended_at IS NULL) = (suspended_lsn IS NULL))
);

-- How far a slot was read, to tell when it has been lost or moved.
CREATE TABLE position (
    slot         text        PRIMARY KEY,
    system_id    text        NOT NULL, -- of the server
    timeline     integer     NOT NULL, -- of the server
    end_lsn      pg_lsn      NOT NULL, -- everything before it was done
    committed_at timestamptz,          -- about the same, as a time
    publication  jsonb       NOT NULL, -- which tables it has, by the identities of the catalog
    clean        boolean     NOT NULL, -- the run ended in order: nothing was confirmed later
    written_at   timestamptz NOT NULL DEFAULT now(),
    decoded      bigint,               -- transactions for the slot, as the server counts them
    decoded_from text,                 -- names the time that they are counted from
    gap_why      text,                 -- of a gap that was found and not mended; null: none
    gap_from     pg_lsn,
    gap_since    timestamptz,
    gap_to       pg_lsn,
    gap_found_at timestamptz
) WITH (fillfactor = 50);
