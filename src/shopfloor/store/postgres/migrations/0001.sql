-- The first schema: tables, and the functions that carry out a round. Run once, in the schema of the store, which is
-- the search path of every connection; names are not qualified for that reason. No rule of what a job may do is here.
--
-- A job is one row of `jobs` from its push to its end. That it waits in a queue is a row of `ready`, that a worker has it
-- is a row of `working`: both come and go and are never rewritten, because a claim that walks over what updates left
-- behind gets slower with every job. `jobs.place` says queued for both.

CREATE TABLE servers (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch integer NOT NULL DEFAULT 0,
    number bigint NOT NULL DEFAULT 0,
    name text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE servers IS 'who works on this store; a round whose epoch is not that of its server is not carried out';

CREATE TABLE jobs (
    jid text COLLATE "C" PRIMARY KEY,
    place text COLLATE "C" NOT NULL,
    at double precision NOT NULL,
    position bigint NOT NULL,
    queue text COLLATE "C" NOT NULL,
    seconds integer,
    bid text COLLATE "C",
    callback_bid text COLLATE "C",
    body bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_limit = 2000);
COMMENT ON COLUMN jobs.body IS 'the job as JSON in UTF-8: convert_from(body, ''UTF8'') shows it';
COMMENT ON COLUMN jobs.seconds IS 'how long a worker may have it; null: what the server that hands it out says';
CREATE INDEX jobs_by_time ON jobs (place, at, jid) WHERE place <> 'queued';
CREATE INDEX jobs_by_batch ON jobs (bid) WHERE bid IS NOT NULL;
CREATE INDEX jobs_by_callback ON jobs (callback_bid) WHERE callback_bid IS NOT NULL;

CREATE TABLE ready (
    queue text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    jid text COLLATE "C" NOT NULL,
    seconds integer,
    PRIMARY KEY (queue, position)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_limit = 2000);

CREATE TABLE working (
    jid text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    queue text COLLATE "C" NOT NULL,
    wid text COLLATE "C" NOT NULL,
    reserved_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    cancelled boolean NOT NULL DEFAULT false,
    server integer NOT NULL,
    number bigint NOT NULL,
    request integer NOT NULL
) WITH (fillfactor = 90,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_limit = 2000);
COMMENT ON COLUMN working.number IS 'the round of that server in which it was handed out, and the request it answers';

CREATE TABLE queues (
    name text COLLATE "C" PRIMARY KEY,
    paused boolean NOT NULL
);
CREATE INDEX queues_paused ON queues (name) WHERE paused;

CREATE TABLE records (
    kind text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

CREATE TABLE locks (
    key text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    until double precision NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000);

CREATE INDEX locks_by_end ON locks (until, key);

CREATE TABLE counters (
    name text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE counters IS 'how many there are of what; together with what `deltas` adds to it';

CREATE TABLE deltas (
    server integer NOT NULL,
    number bigint NOT NULL,
    names text[] NOT NULL,
    bys bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_limit = 2000);
COMMENT ON TABLE deltas IS 'one row a round, so that no two servers wait for one counter; folded into `counters` every second';

CREATE SEQUENCE positions;
CREATE SEQUENCE fronts;

-- What the figures are now: exact, and as much work as there are rounds since the last fold, whatever the figures are.
CREATE VIEW figures AS
    SELECT name, sum(value)::bigint AS value
    FROM (SELECT name, value FROM counters
          UNION ALL SELECT d.name, d.by FROM deltas, unnest(names, bys) AS d (name, by)) AS both_of_them
    GROUP BY name;

-- Add up what the rounds counted, unless another server is at it.
CREATE FUNCTION fold(p_guard bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_rounds bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(p_guard + 1) THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM deltas RETURNING server, number, names, bys
    ), sums AS (
        SELECT d.name, sum(d.by) AS by FROM gone, unnest(names, bys) AS d (name, by) GROUP BY d.name
    ), added AS (
        INSERT INTO counters AS c (name, value) SELECT name, by FROM sums ORDER BY name
        ON CONFLICT (name) DO UPDATE SET value = c.value + excluded.value
    ), remembered AS (
        UPDATE servers AS s SET number = greatest(s.number, g.number)
        FROM (SELECT server, max(number) AS number FROM gone GROUP BY server) AS g WHERE s.id = g.server
    )
    SELECT count(*) INTO v_rounds FROM gone;
    RETURN v_rounds;
END $$;

-- Jobs leave where they are. Raises SF001 where one is not there; answers the queue of each that had waited in one.
CREATE FUNCTION take_jobs(
    p_working text[], p_holders text[], p_queued text[], p_timed text[], p_places text[]
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
    v_queues text[] := '{}';
BEGIN
    IF p_working IS NOT NULL THEN
        DELETE FROM working AS w USING unnest(p_working, p_holders) AS t (jid, holder)
        WHERE w.jid = t.jid AND (t.holder IS NULL OR w.wid = t.holder);
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count <> cardinality(p_working) THEN
            RAISE SQLSTATE 'SF001';
        END IF;
        DELETE FROM jobs WHERE jid = ANY (p_working);
    END IF;
    IF p_queued IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM ready AS r USING jobs AS j
            WHERE j.jid = ANY (p_queued) AND j.place = 'queued' AND r.queue = j.queue AND r.position = j.position
            RETURNING r.queue
        )
        SELECT count(*), array_agg(queue) INTO v_count, v_queues FROM gone;
        IF v_count <> cardinality(p_queued) THEN
            RAISE SQLSTATE 'SF001';
        END IF;
        DELETE FROM jobs WHERE jid = ANY (p_queued);
    END IF;
    IF p_timed IS NOT NULL THEN
        DELETE FROM jobs AS j USING unnest(p_timed, p_places) AS t (jid, place)
        WHERE j.jid = t.jid AND j.place = t.place AND j.place <> 'queued';
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count <> cardinality(p_timed) THEN
            RAISE SQLSTATE 'SF001';
        END IF;
    END IF;
    RETURN v_queues;
END $$;

-- Jobs come to rest. A jid that is held violates the key; an unknown queue raises SF001.
CREATE FUNCTION put_jobs(
    p_jids text[], p_places text[], p_ats double precision[], p_queues text[], p_fronts boolean[], p_seconds integer[],
    p_bids text[], p_callback_bids text[], p_bodies bytea[], p_known text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(p_known) AS k (name) WHERE NOT EXISTS (SELECT FROM queues AS q WHERE q.name = k.name)) THEN
        RAISE SQLSTATE 'SF001';
    END IF;
    WITH come AS (
        INSERT INTO jobs (jid, place, at, position, queue, seconds, bid, callback_bid, body)
        SELECT jid, place, at, CASE WHEN front THEN -nextval('fronts') ELSE nextval('positions') END,
            queue, seconds, bid, callback_bid, body
        FROM unnest(p_jids, p_places, p_ats, p_queues, p_fronts, p_seconds, p_bids, p_callback_bids, p_bodies)
            AS p (jid, place, at, queue, front, seconds, bid, callback_bid, body)
        RETURNING jid, place, queue, position, seconds
    )
    INSERT INTO ready (queue, position, jid, seconds)
    SELECT queue, position, jid, seconds FROM come WHERE place = 'queued';
END $$;

CREATE FUNCTION amend_jobs(p_jids text[], p_holders text[], p_untils double precision[], p_cancelled boolean[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    UPDATE working AS w SET expires_at = greatest(w.expires_at, a.until), cancelled = w.cancelled OR a.cancelled
    FROM unnest(p_jids, p_holders, p_untils, p_cancelled) AS a (jid, holder, until, cancelled)
    WHERE w.jid = a.jid AND (a.holder IS NULL OR w.wid = a.holder);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count <> cardinality(p_jids) THEN
        RAISE SQLSTATE 'SF001';
    END IF;
END $$;

-- Records are made (expected 0), rewritten, or removed (no value). Raises SF001 where a version is another one.
CREATE FUNCTION write_records(p_kinds text[], p_ids text[], p_expected bigint[], p_versions bigint[], p_values bytea[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_made integer;
    v_written integer;
    v_removed integer;
BEGIN
    INSERT INTO records (kind, id, version, value)
    SELECT kind, id, version, value FROM unnest(p_kinds, p_ids, p_expected, p_versions, p_values)
        AS n (kind, id, expected, version, value)
    WHERE expected = 0;
    GET DIAGNOSTICS v_made = ROW_COUNT;
    UPDATE records AS r SET version = n.version, value = n.value
    FROM unnest(p_kinds, p_ids, p_expected, p_versions, p_values) AS n (kind, id, expected, version, value)
    WHERE n.expected > 0 AND n.value IS NOT NULL AND r.kind = n.kind AND r.id = n.id AND r.version = n.expected;
    GET DIAGNOSTICS v_written = ROW_COUNT;
    DELETE FROM records AS r
    USING unnest(p_kinds, p_ids, p_expected, p_values) AS n (kind, id, expected, value)
    WHERE n.expected > 0 AND n.value IS NULL AND r.kind = n.kind AND r.id = n.id AND r.version = n.expected;
    GET DIAGNOSTICS v_removed = ROW_COUNT;
    IF v_made + v_written + v_removed <> cardinality(p_kinds) THEN
        RAISE SQLSTATE 'SF001';
    END IF;
END $$;

-- Locks change hands. Raises SF001 where another owner has one beyond `p_now`; releasing a lock of another does nothing.
CREATE FUNCTION move_locks(
    p_claimed text[], p_owners text[], p_untils double precision[], p_now double precision,
    p_released text[], p_former text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    IF p_released IS NOT NULL THEN
        DELETE FROM locks AS l USING unnest(p_released, p_former) AS r (key, owner)
        WHERE l.key = r.key AND l.owner = r.owner;
    END IF;
    IF p_claimed IS NOT NULL THEN
        INSERT INTO locks AS l (key, owner, until) SELECT key, owner, until
        FROM unnest(p_claimed, p_owners, p_untils) AS c (key, owner, until)
        ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, until = excluded.until
        WHERE l.owner = excluded.owner OR l.until <= p_now;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count <> cardinality(p_claimed) THEN
            RAISE SQLSTATE 'SF001';
        END IF;
    END IF;
END $$;

-- Queues are made, paused and resumed, or forgotten.
CREATE FUNCTION change_queues(p_names text[], p_paused boolean[], p_forgotten text[])
RETURNS void LANGUAGE sql AS $$
    DELETE FROM queues WHERE name = ANY (p_forgotten);
    INSERT INTO queues (name, paused) SELECT name, paused FROM unnest(p_names, p_paused) AS q (name, paused)
    ON CONFLICT (name) DO UPDATE SET paused = excluded.paused;
$$;

-- The head of a queue leaves it, but for jobs that another server is just taking. `p_low` is a position below which
-- nothing was the last time somebody looked (null: look everywhere): what was taken lately is not walked over again.
CREATE FUNCTION claim_heads(
    p_queue text, p_low bigint, p_count integer,
    OUT o_positions bigint[], OUT o_jids text[], OUT o_seconds integer[]
) LANGUAGE plpgsql AS $$
DECLARE
    v_positions bigint[];
    v_jids text[];
    v_seconds integer[];
    v_count integer := 0;
BEGIN
    IF p_low > 0 AND EXISTS (SELECT FROM ready WHERE queue = p_queue AND position < 0) THEN
        WITH gone AS (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM ready WHERE queue = p_queue AND position < 0
                ORDER BY queue, position LIMIT p_count FOR UPDATE SKIP LOCKED))
            RETURNING position, jid, seconds
        )
        SELECT array_agg(position ORDER BY position), array_agg(jid ORDER BY position), array_agg(seconds ORDER BY position)
        INTO o_positions, o_jids, o_seconds FROM gone;
        v_count := coalesce(cardinality(o_jids), 0);
    END IF;
    IF v_count < p_count THEN
        WITH gone AS (
            DELETE FROM ready WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM ready WHERE queue = p_queue AND position >= coalesce(p_low, -9223372036854775808)
                ORDER BY queue, position LIMIT p_count - v_count FOR UPDATE SKIP LOCKED))
            RETURNING position, jid, seconds
        )
        SELECT array_agg(position ORDER BY position), array_agg(jid ORDER BY position), array_agg(seconds ORDER BY position)
        INTO v_positions, v_jids, v_seconds FROM gone;
        o_positions := o_positions || v_positions;
        o_jids := o_jids || v_jids;
        o_seconds := o_seconds || v_seconds;
    END IF;
END $$;

-- Serve requests in order. Each names a list of queues (a stretch of `p_queues`) and how many jobs it wants from the first
-- that has some. Requests of one list that follow one another are served by one claim a queue.
CREATE FUNCTION reserve_jobs(
    p_now double precision, p_seconds integer, p_server integer, p_number bigint,
    p_lists integer[], p_counts integer[], p_wids text[],
    p_froms integer[], p_tos integer[], p_queues text[], p_lows bigint[], p_together integer[], p_each integer[]
) RETURNS TABLE (request integer, jid text, "position" bigint, queue text, expires_at double precision)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_shut text[];
    v_bare text[] := '{}';
    v_served boolean[] := array_fill(false, ARRAY[cardinality(p_lists)]);
    v_requests integer[] := '{}';
    v_jids text[] := '{}';
    v_positions bigint[] := '{}';
    v_seconds integer[] := '{}';
    v_names text[] := '{}';
    v_begin integer := 1;
    v_end integer;
    v_wanted integer;
    v_room integer;
    v_claimed integer;
    v_given integer;
    v_running integer;
    v_own integer;
    v_queue text;
    v_heads record;
    i integer;
BEGIN
    SELECT coalesce(array_agg(name), '{}') INTO v_shut FROM queues WHERE paused;
    WHILE v_begin <= cardinality(p_lists) LOOP
        v_end := v_begin;
        v_wanted := 0;
        WHILE v_end <= cardinality(p_lists) AND p_lists[v_end] = p_lists[v_begin] LOOP
            v_wanted := v_wanted + p_counts[v_end];
            v_end := v_end + 1;
        END LOOP;
        FOR q IN p_froms[p_lists[v_begin]] .. p_tos[p_lists[v_begin]] LOOP
            EXIT WHEN v_wanted = 0;
            v_queue := p_queues[q];
            CONTINUE WHEN v_queue = ANY (v_shut);
            IF coalesce(p_together[q] + p_each[q], 0) = 0 THEN
                v_heads := claim_heads(v_queue, p_lows[q], v_wanted);
                v_claimed := coalesce(cardinality(v_heads.o_jids), 0);
                IF v_claimed < v_wanted THEN
                    v_shut := v_shut || v_queue;
                    v_bare := v_bare || CASE WHEN p_lows[q] IS NULL THEN ARRAY[v_queue] END;
                END IF;
                v_given := 0;
                i := v_begin;
                WHILE v_given < v_claimed LOOP
                    IF NOT v_served[i] THEN
                        v_room := least(p_counts[i], v_claimed - v_given);
                        v_requests := v_requests || array_fill(i, ARRAY[v_room]);
                        v_given := v_given + v_room;
                        v_served[i] := true;
                        v_wanted := v_wanted - p_counts[i];
                    END IF;
                    i := i + 1;
                END LOOP;
                v_jids := v_jids || v_heads.o_jids;
                v_positions := v_positions || v_heads.o_positions;
                v_seconds := v_seconds || v_heads.o_seconds;
                v_names := v_names || array_fill(v_queue, ARRAY[v_claimed]);
                CONTINUE;
            END IF;
            FOR i IN v_begin .. v_end - 1 LOOP
                CONTINUE WHEN v_served[i] OR v_queue = ANY (v_shut);
                SELECT count(*), count(*) FILTER (WHERE wid = p_wids[i]) INTO v_running, v_own FROM (
                    SELECT wid FROM working WHERE queue = v_queue
                    UNION ALL SELECT p_wids[r] FROM unnest(v_requests, v_names) AS g (r, name) WHERE name = v_queue
                ) AS runs;
                v_room := p_counts[i];
                IF p_together[q] > 0 THEN
                    v_room := least(v_room, p_together[q] - v_running);
                END IF;
                IF p_each[q] > 0 THEN
                    v_room := least(v_room, p_each[q] - v_own);
                END IF;
                CONTINUE WHEN v_room < 1;
                v_heads := claim_heads(v_queue, p_lows[q], v_room);
                v_claimed := coalesce(cardinality(v_heads.o_jids), 0);
                IF v_claimed < v_room THEN
                    v_shut := v_shut || v_queue;
                END IF;
                CONTINUE WHEN v_claimed = 0;
                v_served[i] := true;
                v_wanted := v_wanted - p_counts[i];
                v_requests := v_requests || array_fill(i, ARRAY[v_claimed]);
                v_jids := v_jids || v_heads.o_jids;
                v_positions := v_positions || v_heads.o_positions;
                v_seconds := v_seconds || v_heads.o_seconds;
                v_names := v_names || array_fill(v_queue, ARRAY[v_claimed]);
            END LOOP;
        END LOOP;
        v_begin := v_end;
    END LOOP;
    RETURN QUERY
    INSERT INTO working AS w (jid, position, queue, wid, reserved_at, expires_at, server, number, request)
    SELECT g.jid, g.position, g.queue, p_wids[g.request], p_now, p_now + coalesce(g.seconds, p_seconds),
        p_server, p_number, g.request
    FROM unnest(v_jids, v_positions, v_names, v_seconds, v_requests) AS g (jid, position, queue, seconds, request)
    RETURNING w.request, w.jid, w.position, w.queue, w.expires_at;
    RETURN QUERY SELECT -1, NULL::text, NULL::bigint, b.name, NULL::double precision FROM unnest(v_bare) AS b (name);
END $$;

-- One round of a server: changes that are all possible, then requests; whole or not at all. One row with request 0 says
-- that a change was not possible, and that nothing happened: the server then looks more closely (`slowly.py`). Rows with
-- request -1 are those of `reserve_jobs`, with the name in the place of the jid.
CREATE FUNCTION commit_round(
    p_guard bigint, p_server integer, p_epoch integer, p_number bigint,
    p_names text[], p_bys bigint[],
    p_working text[], p_holders text[], p_queued text[], p_timed text[], p_places text[],
    p_put_jids text[], p_put_places text[], p_put_ats double precision[], p_put_queues text[], p_put_fronts boolean[],
    p_put_seconds integer[], p_put_bids text[], p_put_callback_bids text[], p_put_bodies bytea[], p_known text[],
    p_amended text[], p_amend_holders text[], p_amend_untils double precision[], p_amend_cancelled boolean[],
    p_kinds text[], p_ids text[], p_expected bigint[], p_versions bigint[], p_values bytea[],
    p_claimed text[], p_owners text[], p_lock_untils double precision[], p_lock_now double precision,
    p_released text[], p_former text[],
    p_queue_names text[], p_queue_paused boolean[], p_forgotten text[],
    p_now double precision, p_seconds integer,
    p_lists integer[], p_counts integer[], p_wids text[],
    p_froms integer[], p_tos integer[], p_queues text[], p_lows bigint[], p_together integer[], p_each integer[],
    p_channel text, p_tell text[]
) RETURNS TABLE (request integer, jid text, "position" bigint, expires_at double precision, body bytea)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_left text[] := '{}';
    v_requests integer[];
    v_jids text[];
    v_positions bigint[];
    v_bare text[];
    v_queues text[] := '{}';
    v_expiries double precision[];
    v_names text[];
    v_bys bigint[];
    v_tell text[];
    v_told text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(p_guard);
    IF NOT EXISTS (SELECT FROM servers AS s WHERE s.id = p_server AND s.epoch = p_epoch) THEN
        RAISE SQLSTATE 'SF003';
    END IF;
    IF p_together IS NOT NULL THEN
        -- Who counts what works in a queue must be the only one that hands out there; always locked in one order.
        PERFORM pg_advisory_xact_lock(p_guard + 2 + l.key)
        FROM (SELECT DISTINCT hashtext(u.name)::bigint & 2147483647 AS key
              FROM unnest(p_queues, p_together, p_each) AS u (name, together, each) WHERE u.together + u.each > 0
              ORDER BY key) AS l;
    END IF;
    IF p_names IS NOT NULL THEN
        BEGIN
            IF coalesce(p_working, p_queued, p_timed) IS NOT NULL THEN
                v_left := take_jobs(p_working, p_holders, p_queued, p_timed, p_places);
            END IF;
            IF coalesce(p_queue_names, p_forgotten) IS NOT NULL THEN
                PERFORM change_queues(p_queue_names, p_queue_paused, p_forgotten);
            END IF;
            IF p_put_jids IS NOT NULL THEN
                PERFORM put_jobs(p_put_jids, p_put_places, p_put_ats, p_put_queues, p_put_fronts, p_put_seconds,
                    p_put_bids, p_put_callback_bids, p_put_bodies, p_known);
            END IF;
            IF p_amended IS NOT NULL THEN
                PERFORM amend_jobs(p_amended, p_amend_holders, p_amend_untils, p_amend_cancelled);
            END IF;
            IF p_kinds IS NOT NULL THEN
                PERFORM write_records(p_kinds, p_ids, p_expected, p_versions, p_values);
            END IF;
            IF coalesce(p_claimed, p_released) IS NOT NULL THEN
                PERFORM move_locks(p_claimed, p_owners, p_lock_untils, p_lock_now, p_released, p_former);
            END IF;
        EXCEPTION WHEN unique_violation OR SQLSTATE 'SF001' THEN
            request := 0;
            RETURN NEXT;
            RETURN;
        END;
    END IF;
    IF p_lists IS NOT NULL THEN
        SELECT array_agg(r.request) FILTER (WHERE r.request > 0), array_agg(r.jid) FILTER (WHERE r.request > 0),
            array_agg(r.position) FILTER (WHERE r.request > 0), array_agg(r.expires_at) FILTER (WHERE r.request > 0),
            coalesce(array_agg(r.queue) FILTER (WHERE r.request > 0), '{}'),
            array_agg(r.queue) FILTER (WHERE r.request < 0)
        INTO v_requests, v_jids, v_positions, v_expiries, v_queues, v_bare
        FROM reserve_jobs(p_now, p_seconds, p_server, p_number, p_lists, p_counts, p_wids,
            p_froms, p_tos, p_queues, p_lows, p_together, p_each) AS r;
    END IF;
    IF p_names IS NOT NULL OR v_queues <> '{}' THEN
        SELECT array_agg('queue:' || l.queue), array_agg(l.by) INTO v_names, v_bys FROM (
            SELECT u.queue, -count(*) AS by FROM unnest(v_left || v_queues) AS u (queue) GROUP BY u.queue
        ) AS l;
        INSERT INTO deltas (server, number, names, bys) VALUES (p_server, p_number,
            p_names || v_names || 'place:working'::text, p_bys || v_bys || cardinality(v_queues)::bigint);
    END IF;
    IF p_tell IS NOT NULL THEN
        -- What our own fetchers took just now is no news for others.
        SELECT array_agg(DISTINCT t.queue) INTO v_tell FROM (
            SELECT queue, count(*) AS by FROM unnest(p_tell) AS u (queue) GROUP BY queue
        ) AS t WHERE t.by > (SELECT count(*) FROM unnest(v_queues) AS g (queue) WHERE g.queue = t.queue);
        IF v_tell IS NOT NULL THEN
            v_told := p_server || ' ' || array_to_string(v_tell, ' ');
            PERFORM pg_notify(p_channel, CASE WHEN octet_length(v_told) < 7000 THEN v_told ELSE p_server || ' *' END);
        END IF;
    END IF;
    RETURN QUERY
    SELECT g.request, g.jid, g.position, g.expires_at, j.body
    FROM unnest(v_requests, v_jids, v_positions, v_expiries) WITH ORDINALITY
        AS g (request, jid, position, expires_at, turn)
    JOIN jobs AS j ON j.jid = g.jid
    ORDER BY g.turn;
    RETURN QUERY SELECT -1, b.name, NULL::bigint, NULL::double precision, NULL::bytea FROM unnest(v_bare) AS b (name);
END $$;
