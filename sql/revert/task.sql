-- Revert todo:task from pg
BEGIN;

DROP TABLE todo.task;
DROP TYPE todo.priority;

COMMIT;
