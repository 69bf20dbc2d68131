-- Revert todo:task_domains from pg
BEGIN;

ALTER TABLE todo.task
    DROP COLUMN title_key,
    ALTER COLUMN title TYPE text,
    ALTER COLUMN description TYPE text,
    ALTER COLUMN tags TYPE text[],
    ADD CONSTRAINT task_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    ADD CONSTRAINT task_description_length CHECK (char_length(description) <= 1000),
    ADD CONSTRAINT task_tags_count CHECK (cardinality(tags) <= 20),
    ADD CONSTRAINT task_tags_no_null CHECK (array_position(tags, NULL) IS NULL),
    ADD COLUMN title_key text COLLATE "C" GENERATED ALWAYS AS (lower(title)) STORED;
CREATE INDEX task_by_title ON todo.task (user_id, title_key, id);
DROP DOMAIN todo.task_title, todo.task_description, todo.task_tags;

COMMIT;
