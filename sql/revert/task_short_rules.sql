-- Revert todo:task_short_rules from pg
BEGIN;

ALTER TABLE todo.task
    DROP CONSTRAINT task_user_id_length,
    DROP COLUMN priority_rank,
    ADD CONSTRAINT task_user_id_length CHECK (user_id <> '' AND octet_length(user_id) <= 255),
    ADD COLUMN priority_rank smallint GENERATED ALWAYS AS
        (CASE priority WHEN 'low' THEN 1::smallint WHEN 'medium' THEN 2::smallint ELSE 3::smallint END) STORED;
CREATE INDEX task_by_priority ON todo.task (user_id, priority_rank, id);

COMMIT;
