-- The role that hooktail runs as, with the least that it needs. Run it in Label
-- Studio's database after `hooktail setup`, as the role that has run setup, and
-- again after an upgrade of hooktail; what is there already stays:
--
--     psql -d labelstudio -f deploy/role.sql
--     psql -d labelstudio -c '\password hooktail'
--
-- The names are the defaults of the HOOKTAIL_… variables: change here what you have
-- changed there.
--
-- Whoever runs it has to own the tables, and, unless the role is there already, may make
-- roles that replicate: a superuser, or from PostgreSQL 16 on a role with CREATEROLE and
-- REPLICATION of its own. It all happens or nothing does, and psql ends with exit code 3
-- where something is missing.
\set ON_ERROR_STOP on
BEGIN;

-- REPLICATION is what streaming asks for. On managed services it may be another word:
-- see docs/managed.md.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'hooktail') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN
        CREATE ROLE hooktail LOGIN;
        GRANT rds_replication TO hooktail;
    ELSE
        CREATE ROLE hooktail LOGIN REPLICATION;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- made by somebody else just now
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role %s may not make a role that replicates (%s)', current_user, SQLERRM),
            HINT = 'Let a superuser run CREATE ROLE hooktail LOGIN REPLICATION; and then run this script again.';
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

-- A grant by a role that may not make it can be a warning alone.
DO $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(wanted, ', ') INTO missing FROM (
        SELECT 'SELECT on ' || name AS wanted
            FROM unnest(ARRAY['project', 'task', 'task_completion', 'prediction', 'webhook', 'webhook_action']) AS name
            WHERE NOT has_table_privilege('hooktail', 'public.' || name, 'SELECT')
        UNION ALL
        SELECT privilege || ' on ' || c.oid::regclass
            FROM pg_catalog.pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
            WHERE c.relnamespace = 'hooktail'::regnamespace AND c.relkind = 'r' AND NOT has_table_privilege('hooktail', c.oid, privilege)
        UNION ALL
        SELECT 'USAGE on schema ' || name
            FROM unnest(ARRAY['public', 'hooktail']) AS name WHERE NOT has_schema_privilege('hooktail', name, 'USAGE')
        UNION ALL
        SELECT 'REPLICATION' FROM pg_catalog.pg_roles
            WHERE rolname = 'hooktail' AND NOT rolreplication AND NOT rolsuper AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_roles -- where the service has a word of its own
                WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'neon_superuser', 'supabase_admin'))
    ) AS lacks;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role hooktail lacks %s, and role %s may not give it', missing, current_user),
            HINT = 'Run this script as the owner of the tables, or as a superuser.';
    END IF;
END $$;

COMMIT;
