-- 02-user-removed: the statements that changed rows, in the transactions of the application
BEGIN;
DELETE FROM "organizations_organizationmember" WHERE "organizations_organizationmember"."user_id" IN (2);
DELETE FROM "projects_projectmember" WHERE "projects_projectmember"."user_id" IN (2);
DELETE FROM "task_comment_authors" WHERE "task_comment_authors"."user_id" IN (2);
DELETE FROM "tasks_tasklock" WHERE "tasks_tasklock"."user_id" IN (2);
DELETE FROM "tasks_annotationdraft" WHERE "tasks_annotationdraft"."user_id" IN (2);
DELETE FROM "data_manager_view" WHERE "data_manager_view"."user_id" IN (2);
UPDATE "organization" SET "created_by_id" = NULL WHERE "organization"."created_by_id" IN (2);
UPDATE "project" SET "created_by_id" = NULL WHERE "project"."created_by_id" IN (2);
UPDATE "project" SET "deleted_by_id" = NULL WHERE "project"."deleted_by_id" IN (2);
UPDATE "task" SET "updated_by_id" = NULL WHERE "task"."updated_by_id" IN (2);
UPDATE "task_completion" SET "completed_by_id" = NULL WHERE "task_completion"."completed_by_id" IN (2);
UPDATE "task_completion" SET "updated_by_id" = NULL WHERE "task_completion"."updated_by_id" IN (2);
UPDATE "task_completion" SET "last_created_by_id" = NULL WHERE "task_completion"."last_created_by_id" IN (2);
DELETE FROM "htx_user" WHERE "htx_user"."id" IN (2);
COMMIT;

