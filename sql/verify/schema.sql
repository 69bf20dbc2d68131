-- Verify todo:schema on pg: the application's role may look up names in it and make none; PUBLIC may do neither.
BEGIN;

SELECT set_config('verify.app_role', :'app_role', true);

DO $$
DECLARE
    app_role text := current_setting('verify.app_role');
BEGIN
    ASSERT has_schema_privilege(app_role, 'todo', 'USAGE'), 'the application cannot use schema todo';
    ASSERT NOT has_schema_privilege(app_role, 'todo', 'CREATE'), 'the application can create in schema todo';
    ASSERT NOT pg_has_role(app_role, (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'todo'), 'MEMBER'),
        'the application can become the owner of schema todo';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_namespace n
          CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
         WHERE n.nspname = 'todo' AND a.grantee = 0), 'PUBLIC has rights on schema todo';
    ASSERT (SELECT NOT rolsuper AND NOT rolbypassrls AND NOT rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = app_role),
        'the application''s role is too mighty for row level security';
END
$$;

ROLLBACK;
