-- Deploy todo:schema to pg
BEGIN;

CREATE SCHEMA todo;
REVOKE ALL ON SCHEMA todo FROM PUBLIC;
GRANT USAGE ON SCHEMA todo TO :"app_role";

COMMIT;
