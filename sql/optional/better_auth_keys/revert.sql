-- Takes the right to read Better Auth's public keys away again. The right to enter the schema stays, since other grants may
-- rest on it. Run it by psql, as deploy.sql.
\set ON_ERROR_STOP on
\if :{?app_role}
\else
    \set app_role todo_app
\endif
BEGIN;

REVOKE SELECT (id, "publicKey", alg, crv, "createdAt", "expiresAt") ON public.jwks FROM :"app_role";

COMMIT;
