-- +goose Up

-- Before which a hook's receiver wants no request, as its Retry-After said; null or past:
-- it does not mind.
ALTER TABLE hook_setting ADD COLUMN held_until timestamptz;
