-- Verify todo:schema_version on pg: one row, no room for a second, read-only for the application.
BEGIN;

SELECT set_config('verify.app_role', :'app_role', true);

DO $$
DECLARE
    app_role text := current_setting('verify.app_role');
BEGIN
    ASSERT (SELECT count(*) = 1 AND min(version) >= 1 FROM todo.schema_version), 'todo.schema_version has no single version';
    BEGIN
        INSERT INTO todo.schema_version (version) VALUES (2);
        RAISE EXCEPTION 'todo.schema_version takes a second row';
    EXCEPTION WHEN unique_violation THEN
        NULL;
    END;
    BEGIN
        INSERT INTO todo.schema_version (only_row, version) VALUES (false, 2);
        RAISE EXCEPTION 'todo.schema_version takes a second row';
    EXCEPTION WHEN check_violation THEN
        NULL;
    END;
    ASSERT has_table_privilege(app_role, 'todo.schema_version', 'SELECT'), 'the application cannot read its schema version';
    ASSERT NOT has_table_privilege(app_role, 'todo.schema_version', 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'),
        'the application can write its schema version';
END
$$;

ROLLBACK;
