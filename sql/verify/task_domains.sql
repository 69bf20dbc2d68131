-- Verify todo:task_domains on pg: titles, descriptions and tags are of types that judge them, and the table judges the user alone.
BEGIN;

SELECT title_key FROM todo.task WHERE false;

DO $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum)
      INTO found
      FROM pg_catalog.pg_attribute
     WHERE attrelid = 'todo.task'::regclass AND attname IN ('title', 'description', 'tags');
    ASSERT found = 'title todo.task_title, description todo.task_description, tags todo.task_tags',
        format('the columns are %s', found);
    SELECT string_agg(conname, ' ' ORDER BY conname)
      INTO found
      FROM pg_catalog.pg_constraint
     WHERE conrelid = 'todo.task'::regclass AND contype = 'c';
    ASSERT found = 'task_user_id_length', format('the table itself judges by %s', found);
    ASSERT (SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = 'todo.task_by_title'::regclass),
        'the order by title has no index';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_type t
          CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
         WHERE t.oid IN ('todo.task_title'::regtype, 'todo.task_description'::regtype, 'todo.task_tags'::regtype)
           AND a.grantee = 0), 'PUBLIC has rights on the types of a task';
END
$$;

ROLLBACK;
