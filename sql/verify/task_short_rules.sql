-- Verify todo:task_short_rules on pg: a priority has the rank of its place, and the order by it an index.
BEGIN;

DO $$
DECLARE
    found text;
BEGIN
    SELECT format_type(a.atttypid, a.atttypmod) || ' ' || pg_get_expr(d.adbin, d.adrelid)
      INTO found
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = 'todo.task'::regclass AND a.attname = 'priority_rank' AND a.attgenerated = 's';
    ASSERT found = 'integer array_position(''{low,medium,high}''::todo.priority[], priority)',
        format('the rank of a priority is %s', coalesce(found, 'not there'));
    ASSERT (SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = 'todo.task_by_priority'::regclass),
        'the order by priority has no index';
    ASSERT (SELECT pg_get_constraintdef(oid) = 'CHECK ((octet_length(user_id) <@ ''[1,256)''::int4range))'
              FROM pg_catalog.pg_constraint
             WHERE conrelid = 'todo.task'::regclass AND conname = 'task_user_id_length'),
        'the length of a user_id is judged in other words';
END
$$;

ROLLBACK;
