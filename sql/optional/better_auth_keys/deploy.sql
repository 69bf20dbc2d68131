-- Lets the responders read the public columns of Better Auth's "jwks" table, for JWKS_TABLE=1, and nothing else of it: they
-- refuse to start with a role that sees "privateKey" or can write. It is no change of the sqitch plan, since the table is not
-- ours. Run it by psql, after Better Auth has made its tables, as a superuser or as the table's owner (who cannot grant the
-- first right, though):
--   psql -X -v app_role=todo_app -f sql/optional/better_auth_keys/deploy.sql DATABASE
\set ON_ERROR_STOP on
\if :{?app_role}
\else
    \set app_role todo_app
\endif
BEGIN;

GRANT USAGE ON SCHEMA public TO :"app_role";
GRANT SELECT (id, "publicKey", alg, crv, "createdAt", "expiresAt") ON public.jwks TO :"app_role";

COMMIT;
