-- 01-migrations: the statements that changed rows, in the transactions of the application
UPDATE "htx_user" SET "active_organization_id" = 1 WHERE "htx_user"."id" = 1;

