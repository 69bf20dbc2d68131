-- Deploy todo:task_rights to pg
BEGIN;

-- No statement gives a task to another user, another id or another birthday, so no statement may. Responders that run
-- meanwhile notice nothing, hence the same schema_version.
REVOKE UPDATE ON TABLE todo.task FROM :"app_role";
GRANT UPDATE (title, description, completed, priority, due_date, tags, updated_at) ON TABLE todo.task TO :"app_role";

COMMIT;
