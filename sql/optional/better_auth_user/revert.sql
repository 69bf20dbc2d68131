-- Takes the foreign key to Better Auth's "user" table away again, and all that came with it. Run it by psql, as deploy.sql.
\set ON_ERROR_STOP on
BEGIN;

ALTER TABLE todo.task DROP CONSTRAINT task_better_auth_user;
ALTER TABLE todo.task DROP CONSTRAINT IF EXISTS task_better_auth_spelling;
ALTER TABLE todo.task DROP COLUMN IF EXISTS better_auth_user_id;

COMMIT;
