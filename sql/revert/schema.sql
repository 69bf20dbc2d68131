-- Revert todo:schema from pg
BEGIN;

DROP SCHEMA todo;

COMMIT;
