-- Verify todo:task_order on pg
BEGIN;

SELECT title_key, due_key, priority_rank FROM todo.task WHERE false;

DO $$
BEGIN
    ASSERT (SELECT count(*) = 4 FROM pg_index
            WHERE indrelid = 'todo.task'::regclass AND indisvalid AND indexrelid IN (
                'todo.task_by_update'::regclass, 'todo.task_by_title'::regclass,
                'todo.task_by_due_date'::regclass, 'todo.task_by_priority'::regclass)),
        'an order of the list has no index';
    ASSERT (SELECT version >= 2 FROM todo.schema_version), 'the schema version is behind';
END $$;

ROLLBACK;
