-- Deploy todo:task to pg
BEGIN;

CREATE TYPE todo.priority AS ENUM ('low', 'medium', 'high');
REVOKE ALL ON TYPE todo.priority FROM PUBLIC;

-- user_id leads every key, so that the table can be distributed by user. Its collation makes equal mean byte for byte.
CREATE TABLE todo.task (
    user_id     text COLLATE "C" NOT NULL
                CONSTRAINT task_user_id_length CHECK (user_id <> '' AND octet_length(user_id) <= 255),
    id          uuid NOT NULL,
    title       text NOT NULL
                CONSTRAINT task_title_length CHECK (char_length(title) BETWEEN 1 AND 255),
    description text
                CONSTRAINT task_description_length CHECK (char_length(description) <= 1000),
    completed   boolean NOT NULL DEFAULT false,
    priority    todo.priority NOT NULL DEFAULT 'medium',
    due_date    timestamptz,
    tags        text[] NOT NULL DEFAULT '{}'
                CONSTRAINT task_tags_count CHECK (cardinality(tags) <= 20)
                CONSTRAINT task_tags_no_null CHECK (array_position(tags, NULL) IS NULL),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT task_pkey PRIMARY KEY (user_id, id)
);

CREATE INDEX task_by_creation ON todo.task (user_id, created_at, id);

REVOKE ALL ON TABLE todo.task FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE todo.task TO :"app_role";

COMMIT;
