-- Revert todo:task_order from pg
BEGIN;

UPDATE todo.schema_version SET version = 1;

DROP INDEX todo.task_by_update;
ALTER TABLE todo.task DROP COLUMN title_key, DROP COLUMN due_key, DROP COLUMN priority_rank;

COMMIT;
