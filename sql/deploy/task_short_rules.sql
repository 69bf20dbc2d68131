-- Deploy todo:task_short_rules to pg
BEGIN;

-- PostgreSQL reads a table's CHECKs, and what all its generated columns are made of, anew for each statement that updates.
-- So what is left of them says the same in fewer words: the length of a user_id, and the rank of a priority. The table is
-- written anew, so reads and writes wait for this. Responders that run meanwhile notice nothing else, hence the same
-- schema_version.
ALTER TABLE todo.task
    DROP CONSTRAINT task_user_id_length,
    DROP COLUMN priority_rank,
    ADD CONSTRAINT task_user_id_length CHECK (octet_length(user_id) <@ '[1,255]'::int4range),
    ADD COLUMN priority_rank integer GENERATED ALWAYS AS
        (array_position('{low,medium,high}'::todo.priority[], priority)) STORED;
CREATE INDEX task_by_priority ON todo.task (user_id, priority_rank, id);

COMMIT;
