-- Revert todo:revocation from pg
BEGIN;

UPDATE todo.schema_version SET version = 2;

DROP FUNCTION todo.revoke(text);
DROP FUNCTION todo.erase(text, timestamptz);
DROP FUNCTION todo.revoke_current(timestamptz);
DROP FUNCTION todo.admit(text, timestamptz, text);
DROP FUNCTION todo.lock_user(text, boolean);
DROP TABLE todo.revocation;

COMMIT;
