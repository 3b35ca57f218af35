-- Pushing from SQL: a job that comes into being with whatever else an application's transaction does.
--
-- What is pushed is a record of the kind `inbox`; a server takes it in by the same rules as any push. The application's
-- transaction touches no row that a server waits for, however long it stays open.

CREATE SEQUENCE inbox;

CREATE FUNCTION push(job json) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
    v_jid text := job ->> 'jid';
BEGIN
    IF json_typeof(job) IS DISTINCT FROM 'object' THEN
        RAISE 'a job must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF json_typeof(job -> 'jid') IS DISTINCT FROM 'string' OR octet_length(v_jid) < 8 THEN
        RAISE 'jobs must have a reasonable jid parameter' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF json_typeof(job -> 'jobtype') IS DISTINCT FROM 'string' OR job ->> 'jobtype' = '' THEN
        RAISE 'jobs must have a jobtype parameter' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF json_typeof(job -> 'args') IS DISTINCT FROM 'array' THEN
        RAISE 'jobs must have an args parameter' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF job ->> 'queue' !~ '\A[a-zA-Z0-9._-]+\Z' THEN
        RAISE 'cannot get "%" queue: queue names must match [a-zA-Z0-9._-]+', job ->> 'queue'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO records (kind, id, version, value)
    VALUES ('inbox', lpad(nextval('inbox')::text, 19, '0'), 1, convert_to(job::text, 'UTF8'));
    RETURN v_jid;
END $$;
COMMENT ON FUNCTION push IS 'push a job in the transaction at hand; a server takes it in soon after the commit';
