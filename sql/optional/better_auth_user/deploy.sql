-- Ties todo.task to Better Auth's "user" table where both lie in one database: no task without its user, and a user's tasks
-- go with the user. It is no change of the sqitch plan, since it depends on a table that is not ours. Run it by psql:
--   psql -X -v user_table='public."user"' -f sql/optional/better_auth_user/deploy.sql DATABASE
-- as a superuser, or as the owner of todo.task, who then needs two grants first:
--   GRANT USAGE ON SCHEMA public TO todo_owner;            -- from the schema's owner
--   GRANT REFERENCES (id) ON public."user" TO todo_owner;  -- from Better Auth's role
-- The responders' role needs nothing: PostgreSQL looks the user up with the rights of that table's own owner.
\set ON_ERROR_STOP on
\if :{?user_table}
\else
    \set user_table 'public."user"'
\endif
BEGIN;

SELECT set_config('optional.user_table', :'user_table', true) AS user_table \gset

-- The owner is bound by row-level security as well, and would find all rows in order because it sees none. The lock of ALTER
-- TABLE keeps everybody else out until the last line has put things right again.
ALTER TABLE todo.task NO FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
    users constant regclass := current_setting('optional.user_table')::regclass;
    id_type constant text := (
        SELECT format_type(atttypid, NULL) FROM pg_catalog.pg_attribute WHERE attrelid = users AND attname = 'id');
    referring text := 'user_id';
BEGIN
    IF id_type IN ('uuid', 'integer', 'bigint') THEN
        -- A token names its user in text. Only the one spelling that the id itself has is a user: neither 042 nor capitals.
        EXECUTE format('ALTER TABLE todo.task
            ADD COLUMN better_auth_user_id %1$s GENERATED ALWAYS AS (user_id::%1$s) STORED,
            ADD CONSTRAINT task_better_auth_spelling CHECK (user_id = better_auth_user_id::text)', id_type);
        CREATE INDEX task_by_better_auth_user ON todo.task (better_auth_user_id);
        referring := 'better_auth_user_id';
    ELSIF id_type IS NULL OR id_type NOT IN ('text', 'character varying') THEN
        RAISE EXCEPTION 'the id of % is %, and not text, uuid or integer', users, coalesce(id_type, 'missing');
    END IF;
    -- CASCADE: however a user goes, by the administrator's hand too, no data stays behind that nobody can reach. The deletion
    -- runs as the owner of todo.task and past row-level security, as every check of a foreign key does.
    EXECUTE format('ALTER TABLE todo.task ADD CONSTRAINT task_better_auth_user
        FOREIGN KEY (%I) REFERENCES %s (id) ON DELETE CASCADE', referring, users);
END
$$;

ALTER TABLE todo.task FORCE ROW LEVEL SECURITY;

COMMIT;
