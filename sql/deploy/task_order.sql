-- Deploy todo:task_order to pg
BEGIN;

-- What titles, priorities and due dates are sorted by; a task without a due date is due last. Row-level security lets an
-- index serve a comparison only where nothing in it could leak a row, which lower(), coalesce() and the operators of enums do
-- not promise; those of plain columns of these types do.
ALTER TABLE todo.task
    ADD COLUMN title_key text COLLATE "C" GENERATED ALWAYS AS (lower(title)) STORED,
    ADD COLUMN due_key timestamptz GENERATED ALWAYS AS (coalesce(due_date, 'infinity')) STORED,
    ADD COLUMN priority_rank smallint GENERATED ALWAYS AS
        (CASE priority WHEN 'low' THEN 1::smallint WHEN 'medium' THEN 2::smallint ELSE 3::smallint END) STORED;

-- One for each order of the list; task_by_creation is there already.
CREATE INDEX task_by_update ON todo.task (user_id, updated_at, id);
CREATE INDEX task_by_title ON todo.task (user_id, title_key, id);
CREATE INDEX task_by_due_date ON todo.task (user_id, due_key, id);
CREATE INDEX task_by_priority ON todo.task (user_id, priority_rank, id);

UPDATE todo.schema_version SET version = 2;

COMMIT;
