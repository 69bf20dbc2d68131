-- Deploy todo:revocation to pg
BEGIN;

-- Tokens of a user that were issued up to an instant count no more. The responders read it and change nothing.
CREATE TABLE todo.revocation (
    user_id        text COLLATE "C" NOT NULL
                   CONSTRAINT revocation_user_id_length CHECK (user_id <> '' AND octet_length(user_id) <= 255),
    revoked_before timestamptz NOT NULL,
    CONSTRAINT revocation_pkey PRIMARY KEY (user_id)
);

ALTER TABLE todo.revocation ENABLE ROW LEVEL SECURITY;
ALTER TABLE todo.revocation FORCE ROW LEVEL SECURITY;
CREATE POLICY revocation_of_user ON todo.revocation
    USING (user_id = nullif(current_setting('todo.user_id', true), ''))
    WITH CHECK (user_id = nullif(current_setting('todo.user_id', true), ''));

REVOKE ALL ON TABLE todo.revocation FROM PUBLIC;
GRANT SELECT ON TABLE todo.revocation TO :"app_role";

-- Writes of a user hold this lock side by side; whoever revokes holds it alone. So a write that began before has
-- committed when the rows are deleted, and one that begins after is judged by the new instant. Each question below takes a
-- snapshot of its own, which it would not do in a transaction that keeps its first one: there nothing may be decided.
CREATE FUNCTION todo.lock_user(user_id text, side_by_side boolean) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    key constant bigint := pg_catalog.hashtextextended(user_id COLLATE "C", 8128);
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'todo: revocation needs transactions that are read committed' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF side_by_side THEN
        PERFORM pg_catalog.pg_advisory_xact_lock_shared(key);
    ELSE
        PERFORM pg_catalog.pg_advisory_xact_lock(key);
    END IF;
END
$$;

-- Ends the transaction with SQLSTATE TD401 unless the user's token of that instant counts. Before reading (others: 'any')
-- no lock is needed; before writing others may write as well ('writes'), or nobody ('none').
CREATE FUNCTION todo.admit(user_id text, issued_at timestamptz, others text) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF others IS DISTINCT FROM 'any' THEN
        PERFORM todo.lock_user(user_id, others = 'writes');
    END IF;
    IF issued_at IS NULL
       OR EXISTS (SELECT FROM todo.revocation r WHERE r.user_id = admit.user_id AND r.revoked_before >= admit.issued_at) THEN
        RAISE EXCEPTION 'todo: the token is revoked' USING ERRCODE = 'TD401';
    END IF;
END
$$;

-- The current user's tokens up to now count no more. Not before `issued_at` either, a token's own instant: the issuer's
-- clock may be ahead of this one.
CREATE FUNCTION todo.revoke_current(issued_at timestamptz) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    own constant text := nullif(pg_catalog.current_setting('todo.user_id', true), '');
    instant timestamptz;
BEGIN
    PERFORM todo.lock_user(own, false);
    INSERT INTO todo.revocation AS r (user_id, revoked_before)
    VALUES (own, greatest(pg_catalog.clock_timestamp(), issued_at))
    ON CONFLICT ON CONSTRAINT revocation_pkey
    DO UPDATE SET revoked_before = greatest(r.revoked_before, excluded.revoked_before)
    RETURNING r.revoked_before INTO instant;
    RETURN instant;
END
$$;

-- Deletes all of the current user's rows and, with an instant, revokes the tokens up to now and it. It runs as the owner,
-- since responders may not write revocations; row-level security, which is forced, keeps it to the current user.
CREATE FUNCTION todo.erase(user_id text, issued_at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted bigint;
BEGIN
    IF user_id IS DISTINCT FROM nullif(current_setting('todo.user_id', true), '') OR user_id IS NULL THEN
        RAISE EXCEPTION 'todo: only the current user can be erased' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF issued_at IS NOT NULL THEN
        PERFORM todo.revoke_current(issued_at);
    END IF;
    DELETE FROM todo.task t WHERE t.user_id = erase.user_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- For the owner: revokes a user's tokens up to now, and says up to when.
CREATE FUNCTION todo.revoke(user_id text) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    before constant text := pg_catalog.current_setting('todo.user_id', true);
    instant timestamptz;
BEGIN
    IF coalesce(user_id, '') = '' THEN
        RAISE EXCEPTION 'todo: whose tokens' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_catalog.set_config('todo.user_id', user_id, true);
    instant := todo.revoke_current(NULL);
    PERFORM pg_catalog.set_config('todo.user_id', coalesce(before, ''), true);
    RETURN instant;
END
$$;

REVOKE ALL ON FUNCTION todo.lock_user(text, boolean), todo.admit(text, timestamptz, text),
    todo.revoke_current(timestamptz), todo.erase(text, timestamptz), todo.revoke(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION todo.lock_user(text, boolean), todo.admit(text, timestamptz, text),
    todo.erase(text, timestamptz) TO :"app_role";

UPDATE todo.schema_version SET version = 3;

COMMIT;
