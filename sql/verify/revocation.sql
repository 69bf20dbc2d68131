-- Verify todo:revocation on pg: responders read revocations and write none, erase binds itself to the current user, and the
-- rows that count are the user's own.
BEGIN;

SELECT set_config('verify.app_role', :'app_role', true);

DO $$
DECLARE
    app_role text := current_setting('verify.app_role');
    one constant uuid := '00000000-0000-7000-8000-000000000001';
    instant timestamptz;
BEGIN
    ASSERT has_table_privilege(app_role, 'todo.revocation', 'SELECT'), 'the application cannot read revocations';
    ASSERT NOT has_table_privilege(app_role, 'todo.revocation', 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'),
        'the application can write revocations';
    ASSERT has_function_privilege(app_role, 'todo.admit(text, timestamptz, text)', 'EXECUTE')
       AND has_function_privilege(app_role, 'todo.lock_user(text, boolean)', 'EXECUTE')
       AND has_function_privilege(app_role, 'todo.erase(text, timestamptz)', 'EXECUTE'), 'the application lacks a right';
    ASSERT NOT has_function_privilege(app_role, 'todo.revoke(text)', 'EXECUTE')
       AND NOT has_function_privilege(app_role, 'todo.revoke_current(timestamptz)', 'EXECUTE'), 'the application can revoke';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc p
          CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
         WHERE p.pronamespace = 'todo'::regnamespace AND a.grantee = 0), 'PUBLIC may call a function';
    ASSERT (SELECT prosecdef AND proconfig = ARRAY['search_path=pg_catalog, pg_temp']
              FROM pg_catalog.pg_proc WHERE oid = 'todo.erase(text, timestamptz)'::regprocedure),
        'todo.erase looks up names where others may put theirs';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc
         WHERE pronamespace = 'todo'::regnamespace AND prosecdef AND proname <> 'erase'), 'another function runs as the owner';
    ASSERT (SELECT relrowsecurity AND relforcerowsecurity FROM pg_catalog.pg_class WHERE oid = 'todo.revocation'::regclass),
        'row level security is not forced on todo.revocation';
    ASSERT (SELECT version >= 3 FROM todo.schema_version), 'the schema version is behind';

    PERFORM set_config('todo.user_id', 'verify', true);
    INSERT INTO todo.task (user_id, id, title) VALUES ('verify', one, 'x');
    BEGIN
        PERFORM todo.erase('another', NULL);
        RAISE EXCEPTION 'another user is erased';
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    ASSERT todo.erase('verify', clock_timestamp()) = 1, 'erase leaves rows';
    BEGIN
        PERFORM todo.admit('verify', clock_timestamp() - interval '1 second', 'any');
        RAISE EXCEPTION 'a revoked token counts';
    EXCEPTION WHEN SQLSTATE 'TD401' THEN
        NULL;
    END;
    PERFORM todo.admit('verify', clock_timestamp() + interval '1 second', 'writes');
    instant := todo.revoke('verify');
    ASSERT current_setting('todo.user_id') = 'verify', 'revoke leaves another identity behind';
END
$$;

ROLLBACK;
