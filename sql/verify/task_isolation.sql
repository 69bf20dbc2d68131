-- Verify todo:task_isolation on pg: even the owner, who runs this, sees and writes one user's rows only, and none without a user.
BEGIN;

DO $$
DECLARE
    one constant uuid := '00000000-0000-7000-8000-000000000001';
    touched bigint;
BEGIN
    ASSERT (SELECT relrowsecurity AND relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = 'todo.task'::regclass),
        'row level security is not forced on todo.task';
    ASSERT (SELECT count(*) = 1 AND bool_and(polpermissive AND polcmd = '*' AND polroles = '{0}')
              FROM pg_catalog.pg_policy WHERE polrelid = 'todo.task'::regclass),
        'todo.task has another set of policies';
    ASSERT (SELECT pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid)
               AND pg_get_expr(polqual, polrelid)
                   = '(user_id = NULLIF(current_setting(''todo.user_id''::text, true), ''''::text))'
              FROM pg_catalog.pg_policy WHERE polrelid = 'todo.task'::regclass),
        'the policy of todo.task asks something else';

    -- A superuser passes by every policy: what follows would then only show that.
    IF (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;

    PERFORM set_config('todo.user_id', 'verify a', true);
    INSERT INTO todo.task (user_id, id, title) VALUES ('verify a', one, 'a');
    PERFORM set_config('todo.user_id', 'verify b', true);
    INSERT INTO todo.task (user_id, id, title) VALUES ('verify b', one, 'b');

    ASSERT (SELECT array_agg(title) = '{b}' FROM todo.task), 'a user sees another''s rows';
    UPDATE todo.task SET title = 'stolen' WHERE user_id = 'verify a';
    GET DIAGNOSTICS touched = ROW_COUNT;
    ASSERT touched = 0, 'a user changes another''s rows';
    DELETE FROM todo.task WHERE user_id = 'verify a';
    GET DIAGNOSTICS touched = ROW_COUNT;
    ASSERT touched = 0, 'a user deletes another''s rows';
    BEGIN
        UPDATE todo.task SET user_id = 'verify a' WHERE user_id = 'verify b';
        RAISE EXCEPTION 'a user gives a row away';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    BEGIN
        INSERT INTO todo.task (user_id, id, title) VALUES ('verify a', gen_random_uuid(), 'planted');
        RAISE EXCEPTION 'a user plants a row with another';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;

    PERFORM set_config('todo.user_id', '', true);
    ASSERT NOT EXISTS (SELECT FROM todo.task), 'rows are seen with no user named';
    BEGIN
        INSERT INTO todo.task (user_id, id, title) VALUES ('', one, 'nobody''s');
        RAISE EXCEPTION 'a row without a user goes in';
    EXCEPTION WHEN insufficient_privilege OR check_violation THEN
        NULL;
    END;
END
$$;

ROLLBACK;
