-- Verify todo:task_rights on pg: the application changes what a task says, and neither whose it is, nor which, nor since when.
BEGIN;

SELECT set_config('verify.app_role', :'app_role', true);

DO $$
DECLARE
    app_role text := current_setting('verify.app_role');
    found text;
BEGIN
    SELECT string_agg(attname, ' ' ORDER BY attnum)
      INTO found
      FROM pg_catalog.pg_attribute
     WHERE attrelid = 'todo.task'::regclass AND attnum > 0 AND NOT attisdropped
       AND has_column_privilege(app_role, attrelid, attnum, 'UPDATE');
    ASSERT found = 'title description completed priority due_date tags updated_at',
        format('the application may update %s', found);
END
$$;

ROLLBACK;
