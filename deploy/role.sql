-- Creates the role that hooktail runs as, with the least privileges that it needs. Run
-- this script in Label Studio's database after `hooktail setup`, as the role that ran
-- setup, and again after an upgrade of hooktail. It keeps what exists already:
--
--     psql -d labelstudio -f deploy/role.sql
--     psql -d labelstudio -c '\password hooktail'
--
-- The names are the defaults of the HOOKTAIL_… variables. If you have changed a variable,
-- change the name here too.
--
-- Run it as a superuser or as the owner of the tables. The owner cannot create the role,
-- unless it has CREATEROLE and REPLICATION on PostgreSQL 16 or newer; so let a superuser
-- run this first:
--
--     CREATE ROLE hooktail LOGIN REPLICATION;
--
-- The script does everything or nothing. If something is missing, it says what, and psql
-- ends with exit code 3.
\set ON_ERROR_STOP on
BEGIN;

-- Streaming needs REPLICATION. Some managed services grant a role instead: see
-- docs/managed.md.
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
            MESSAGE = format('role %s cannot create a role with REPLICATION (%s)', current_user, SQLERRM),
            HINT = 'Let a superuser run CREATE ROLE hooktail LOGIN REPLICATION; then run this script again.';
END $$;

-- Every role may connect, unless somebody has revoked that from PUBLIC.
DO $$
BEGIN
    IF NOT has_database_privilege('hooktail', current_database(), 'CONNECT') THEN
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO hooktail', current_database());
    END IF;
END $$;

-- Payloads are built from these tables; webhook and webhook_action have the hooks.
GRANT USAGE ON SCHEMA public TO hooktail;
GRANT SELECT ON public.project, public.task, public.task_completion, public.prediction, public.webhook, public.webhook_action
    TO hooktail;
DO $$
BEGIN
    GRANT SELECT ON public.task_comment_authors TO hooktail;
EXCEPTION
    WHEN undefined_table THEN NULL; -- an older Label Studio
END $$;

-- `hooktail hooks adopt` and `release` switch hooks in Label Studio. Remove this line if
-- this role is not to do that.
GRANT UPDATE (is_active) ON public.webhook TO hooktail;

-- hooktail's own tables: parked deliveries, settings and the position. The default
-- privileges cover tables of later versions, if the same role creates them.
GRANT USAGE ON SCHEMA hooktail TO hooktail;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hooktail TO hooktail;
ALTER DEFAULT PRIVILEGES IN SCHEMA hooktail GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO hooktail;

-- PostgreSQL may only warn about a grant that the current role cannot make.
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
        SELECT 'CONNECT on database ' || current_database()
            WHERE NOT has_database_privilege('hooktail', current_database(), 'CONNECT')
        UNION ALL
        SELECT 'REPLICATION' FROM pg_catalog.pg_roles
            WHERE rolname = 'hooktail' AND NOT rolreplication AND NOT rolsuper AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_roles -- where the service has a word of its own
                WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'neon_superuser', 'supabase_admin'))
    ) AS lacks;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role hooktail lacks %s, and role %s cannot grant it', missing, current_user),
            HINT = 'Run this script as the owner of the tables, or as a superuser.';
    END IF;
END $$;

COMMIT;
