-- Verify todo:task on pg: columns, defaults and keys as promised, every CHECK refuses what it names, no right too many. Later
-- changes make domains of some types, and move CHECKs there: what a domain is made of counts, and the rules by their names.
BEGIN;

SELECT set_config('verify.app_role', :'app_role', true);
SELECT set_config('todo.user_id', 'verify', true);

DO $$
DECLARE
    app_role text := current_setting('verify.app_role');
    wanted constant text[] := ARRAY[
        'user_id text C true -',
        'id uuid - true -',
        'title text default true -',
        'description text default false -',
        'completed boolean - true false',
        'priority todo.priority - true ''medium''::todo.priority',
        'due_date timestamp with time zone - false -',
        'tags text[] default true ''{}''::text[]',
        'created_at timestamp with time zone - true now()',
        'updated_at timestamp with time zone - true now()'];
    found text[];
BEGIN
    SELECT array_agg(concat_ws(' ', a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), a.atttypmod),
                               coalesce(c.collname, '-'), a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '-'))
                     ORDER BY a.attnum)
      INTO found
      FROM pg_catalog.pg_attribute a
      JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
     WHERE a.attrelid = 'todo.task'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    SELECT array_agg(replace(replace(line, ' t ', ' true '), ' f ', ' false ') ORDER BY n)
      INTO found
      FROM unnest(found) WITH ORDINALITY AS lines(line, n);
    ASSERT found = wanted, format('columns of todo.task are %s', found);

    ASSERT enum_range(NULL::todo.priority)::text = '{low,medium,high}', 'todo.priority has other values';
    ASSERT EXISTS (
        SELECT FROM pg_catalog.pg_constraint
         WHERE conrelid = 'todo.task'::regclass AND contype = 'p'
           AND pg_get_constraintdef(oid) = 'PRIMARY KEY (user_id, id)'), 'todo.task has another primary key';
    ASSERT pg_get_indexdef('todo.task_by_creation'::regclass) LIKE '% USING btree (user_id, created_at, id)',
        'todo.task_by_creation is another index';

    ASSERT has_table_privilege(app_role, 'todo.task', 'SELECT')
       AND has_table_privilege(app_role, 'todo.task', 'INSERT')
       AND has_any_column_privilege(app_role, 'todo.task', 'UPDATE')
       AND has_table_privilege(app_role, 'todo.task', 'DELETE'), 'the application lacks a right on todo.task';
    ASSERT NOT has_table_privilege(app_role, 'todo.task', 'TRUNCATE, REFERENCES, TRIGGER'),
        'the application has a right too many on todo.task';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_class c
          CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
         WHERE c.oid = 'todo.task'::regclass AND a.grantee = 0), 'PUBLIC has rights on todo.task';
    ASSERT NOT EXISTS (
        SELECT FROM pg_catalog.pg_type t
          CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
         WHERE t.oid = 'todo.priority'::regtype AND a.grantee = 0), 'PUBLIC has rights on todo.priority';
END
$$;

DO $$
DECLARE
    one constant uuid := '00000000-0000-7000-8000-000000000001';
    bad record;
BEGIN
    -- The greatest row that the rules allow must go in, or the refusals below prove nothing.
    INSERT INTO todo.task (user_id, id, title, description, tags)
    VALUES ('verify', one, repeat('ü', 255), repeat('ü', 1000), array_fill('t'::text, ARRAY[20]));

    FOR bad IN
        SELECT * FROM (VALUES
            ('task_title_length', $q$title = ''$q$),
            ('task_title_length', $q$title = repeat('x', 256)$q$),
            ('task_description_length', $q$description = repeat('x', 1001)$q$),
            ('task_tags_count', $q$tags = array_fill('t'::text, ARRAY[21])$q$),
            ('task_tags_no_null', $q$tags = ARRAY['t', NULL]$q$)) AS v (name, assignment)
    LOOP
        BEGIN
            EXECUTE format('UPDATE todo.task SET %s WHERE user_id = %L AND id = %L', bad.assignment, 'verify', one);
            RAISE EXCEPTION 'todo.task takes %', bad.assignment;
        EXCEPTION WHEN check_violation THEN
            DECLARE
                broken text;
            BEGIN
                GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
                ASSERT broken = bad.name, format('%s breaks %s, not %s', bad.assignment, broken, bad.name);
            END;
        END;
    END LOOP;

    -- Row level security judges an owner's bad user_id before the CHECK would, so that one is read instead of tried.
    ASSERT EXISTS (
        SELECT FROM pg_catalog.pg_constraint
         WHERE conrelid = 'todo.task'::regclass AND conname = 'task_user_id_length' AND convalidated
           AND pg_get_constraintdef(oid) IN ('CHECK (((user_id <> ''''::text) AND (octet_length(user_id) <= 255)))',
                                             'CHECK ((octet_length(user_id) <@ ''[1,256)''::int4range))')),
        'todo.task takes any user_id';
END
$$;

ROLLBACK;
