-- The role that hooktail runs as, with the least that it needs. Run it in Label
-- Studio's database after `hooktail setup`, as the role that has run setup, and
-- again after an upgrade of hooktail; what is there already stays:
--
--     psql -d labelstudio -f deploy/role.sql
--     psql -d labelstudio -c '\password hooktail'
--
-- The names are the defaults of the HOOKTAIL_… variables: change here what you have
-- changed there.

-- REPLICATION is what streaming asks for. On managed services it is another word:
-- see docs/managed.md.
DO $$
BEGIN
    CREATE ROLE hooktail LOGIN REPLICATION;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- the second: made by somebody else just now
END $$;

-- What payloads are built of, and the hooks.
GRANT USAGE ON SCHEMA public TO hooktail;
GRANT SELECT ON public.project, public.task, public.task_completion, public.prediction, public.webhook, public.webhook_action
    TO hooktail;
DO $$
BEGIN
    GRANT SELECT ON public.task_comment_authors TO hooktail;
EXCEPTION
    WHEN undefined_table THEN NULL; -- an older Label Studio
END $$;

-- `hooktail hooks adopt` and `release` switch hooks in Label Studio. Leave it out where
-- only somebody else may.
GRANT UPDATE (is_active) ON public.webhook TO hooktail;

-- Hooktail's own tables: what cannot be delivered at once, and how far it has read.
-- Those of later versions are granted too, if the same role makes them.
GRANT USAGE ON SCHEMA hooktail TO hooktail;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hooktail TO hooktail;
ALTER DEFAULT PRIVILEGES IN SCHEMA hooktail GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO hooktail;
