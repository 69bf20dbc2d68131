-- Revert todo:task_rights from pg
BEGIN;

-- With the right to the table those to its columns go.
REVOKE UPDATE ON TABLE todo.task FROM :"app_role";
GRANT UPDATE ON TABLE todo.task TO :"app_role";

COMMIT;
