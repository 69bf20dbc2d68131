-- Makes the three roles and the database, or gives them today's passwords and rights; run once by a superuser, safe to run again.
-- psql reads from its environment: PGDATABASE (an existing database to start from), DATABASE_NAME, APP_ROLE,
-- OWNER_PASSWORD, APP_PASSWORD, BETTER_AUTH_PASSWORD. Passwords never stand on a command line, where others could read them.
\set ON_ERROR_STOP on
\getenv database DATABASE_NAME
\getenv app_role APP_ROLE
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
\getenv better_auth_password BETTER_AUTH_PASSWORD

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['todo_owner', :'app_role', 'better_auth']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)
\gexec

ALTER ROLE todo_owner WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'owner_password';
ALTER ROLE :"app_role" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'app_password';
ALTER ROLE better_auth WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'better_auth_password';

SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'database')
\gexec

-- PUBLIC may by default connect and make temporary tables: here only the named roles come in.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT, CREATE ON DATABASE :"database" TO todo_owner;
GRANT CONNECT ON DATABASE :"database" TO :"app_role", better_auth;

\connect :"database"
-- Better Auth names its tables without a schema, so they lie in public, where nobody else has business.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO better_auth;
