-- Checks that the foreign key to Better Auth's "user" table holds for every row. Run it by psql, as deploy.sql.
\set ON_ERROR_STOP on
\if :{?user_table}
\else
    \set user_table 'public."user"'
\endif
BEGIN;

SELECT set_config('optional.user_table', :'user_table', true) AS user_table \gset

DO $$
DECLARE
    users constant regclass := current_setting('optional.user_table')::regclass;
BEGIN
    ASSERT (SELECT convalidated AND confdeltype = 'c' AND confrelid = users
              FROM pg_catalog.pg_constraint WHERE conrelid = 'todo.task'::regclass AND conname = 'task_better_auth_user'),
        'todo.task does not refer to the users, or its tasks do not go with them';
    ASSERT (SELECT user_id.atttypid = id.atttypid
                OR format_type(id.atttypid, NULL) = 'character varying'
                OR EXISTS (SELECT FROM pg_catalog.pg_attribute own
                             JOIN pg_catalog.pg_constraint spelling
                               ON spelling.conrelid = own.attrelid AND spelling.conname = 'task_better_auth_spelling'
                              AND spelling.convalidated
                            WHERE own.attrelid = user_id.attrelid AND own.attname = 'better_auth_user_id'
                              AND own.attgenerated = 's' AND own.atttypid = id.atttypid)
              FROM pg_catalog.pg_attribute user_id, pg_catalog.pg_attribute id
             WHERE user_id.attrelid = 'todo.task'::regclass AND user_id.attname = 'user_id'
               AND id.attrelid = users AND id.attname = 'id'),
        'the ids of users are of another type by now';
    ASSERT (SELECT relrowsecurity AND relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = 'todo.task'::regclass),
        'row level security is not forced on todo.task';
END
$$;

ROLLBACK;
