-- Revert todo:schema_version from pg
BEGIN;

DROP TABLE todo.schema_version;

COMMIT;
