-- Deploy todo:task_domains to pg
BEGIN;

-- What a title, a description and tags may be is said of types instead of the table. PostgreSQL reads the CHECKs of a table
-- anew for each statement that writes, and judges by them columns too that the statement leaves as they are; those of a
-- domain it keeps, and asks them where a value is given. Every rule stays, with its name. The table is written anew, so
-- reads and writes wait for this. Responders that run meanwhile notice nothing else, hence the same schema_version.
CREATE DOMAIN todo.task_title AS text
    CONSTRAINT task_title_length CHECK (char_length(VALUE) BETWEEN 1 AND 255);
CREATE DOMAIN todo.task_description AS text
    CONSTRAINT task_description_length CHECK (char_length(VALUE) <= 1000);
CREATE DOMAIN todo.task_tags AS text[]
    CONSTRAINT task_tags_count CHECK (cardinality(VALUE) <= 20)
    CONSTRAINT task_tags_no_null CHECK (array_position(VALUE, NULL) IS NULL);
REVOKE ALL ON TYPE todo.task_title, todo.task_description, todo.task_tags FROM PUBLIC;

-- title_key is bound to the type of what it is made of.
ALTER TABLE todo.task
    DROP CONSTRAINT task_title_length,
    DROP CONSTRAINT task_description_length,
    DROP CONSTRAINT task_tags_count,
    DROP CONSTRAINT task_tags_no_null,
    DROP COLUMN title_key,
    ALTER COLUMN title TYPE todo.task_title,
    ALTER COLUMN description TYPE todo.task_description,
    ALTER COLUMN tags TYPE todo.task_tags,
    ADD COLUMN title_key text COLLATE "C" GENERATED ALWAYS AS (lower(title)) STORED;
CREATE INDEX task_by_title ON todo.task (user_id, title_key, id);

COMMIT;
