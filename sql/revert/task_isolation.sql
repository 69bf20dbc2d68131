-- Revert todo:task_isolation from pg
BEGIN;

DROP POLICY task_of_user ON todo.task;
ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY;
ALTER TABLE todo.task DISABLE ROW LEVEL SECURITY;

COMMIT;
