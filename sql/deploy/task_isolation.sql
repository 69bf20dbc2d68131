-- Deploy todo:task_isolation to pg
BEGIN;

-- FORCE: the owner is bound as well, so a responder given the owner's role by mistake still sees one user.
ALTER TABLE todo.task ENABLE ROW LEVEL SECURITY;
ALTER TABLE todo.task FORCE ROW LEVEL SECURITY;

-- After a transaction has set it, the setting reads '' for the rest of the session, not NULL: both must match nobody.
CREATE POLICY task_of_user ON todo.task
    USING (user_id = nullif(current_setting('todo.user_id', true), ''))
    WITH CHECK (user_id = nullif(current_setting('todo.user_id', true), ''));

COMMIT;
