-- Checks that the responders can read Better Auth's public keys, and neither its private ones nor write anything there. Run
-- it by psql, as deploy.sql.
\set ON_ERROR_STOP on
\if :{?app_role}
\else
    \set app_role todo_app
\endif
BEGIN;

SELECT set_config('optional.app_role', :'app_role', true) AS app_role \gset

DO $$
DECLARE
    app constant name := current_setting('optional.app_role');
    keys constant regclass := 'public.jwks';
BEGIN
    ASSERT has_schema_privilege(app, 'public', 'USAGE'), 'the role may not enter the schema public';
    ASSERT (SELECT count(*) = 6 FROM pg_catalog.pg_attribute
             WHERE attrelid = keys AND attname IN ('id', 'publicKey', 'alg', 'crv', 'createdAt', 'expiresAt')
               AND has_column_privilege(app, keys, attnum, 'SELECT')), 'the role may not read every public column';
    ASSERT NOT has_column_privilege(app, keys, 'privateKey', 'SELECT'), 'the role can read private keys';
    ASSERT NOT has_table_privilege(app, keys, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
       AND NOT has_any_column_privilege(app, keys, 'INSERT, UPDATE'), 'the role can write keys';
END
$$;

ROLLBACK;
