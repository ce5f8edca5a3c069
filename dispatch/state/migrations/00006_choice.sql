-- +goose Up

-- What people chose for a hook beyond what its row in the application says; null: nothing.
ALTER TABLE hook_setting
    ADD COLUMN events_added text[],   -- actions that it gets as well
    ADD COLUMN events_removed text[], -- actions that it does not get
    ADD COLUMN filter text,           -- CEL over the body: an event for which it is false is not sent
    ADD COLUMN rate text,             -- at most so many requests, as "10/s"
    ADD COLUMN format text;
