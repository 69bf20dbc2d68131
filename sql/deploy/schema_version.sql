-- Deploy todo:schema_version to pg
BEGIN;

-- The responders' role cannot see sqitch's registry, so the number they compare stands here. A change that
-- running responders must know of raises it, in its own deploy script.
CREATE TABLE todo.schema_version (
    only_row boolean NOT NULL DEFAULT true PRIMARY KEY CONSTRAINT schema_version_only_row CHECK (only_row),
    version  integer NOT NULL CONSTRAINT schema_version_positive CHECK (version > 0)
);
INSERT INTO todo.schema_version (version) VALUES (1);

REVOKE ALL ON TABLE todo.schema_version FROM PUBLIC;
GRANT SELECT ON TABLE todo.schema_version TO :"app_role";

COMMIT;
