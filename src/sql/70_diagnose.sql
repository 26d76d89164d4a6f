-- What is wrong, and what to do about it.
--
-- One function for each thing that is looked at; topgun.diagnose() is all of
-- them.  What is found is a row, so a node that is well gives none.

CREATE TYPE topgun_internal.finding AS
(
	severity text,
	object text,
	finding text,
	what_to_do text
);
COMMENT ON TYPE topgun_internal.finding IS 'a row of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_preload() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'error', 'shared_preload_libraries',
		'does not name topgun: nothing is captured or replicated',
		'Add topgun to it in postgresql.conf and restart the server.'
	WHERE NOT current_setting('shared_preload_libraries') ~ '(^|[\s,/"])topgun([\s,"]|$)';
END;
COMMENT ON FUNCTION topgun_internal.diagnose_preload() IS
	'is topgun loaded? Part of topgun.diagnose(), and the only one that works if it is not';

CREATE FUNCTION topgun_internal.diagnose_workers() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'warning', 'max_worker_processes',
		format('%s workers are needed, parallel queries not counted, and max_worker_processes is %s',
			needed.n, current_setting('max_worker_processes')),
		'Raise max_worker_processes and restart the server; meanwhile bulk work is done by fewer processes.'
	-- the launcher, the workers of this node, those of a bulk job, PostgreSQL's own launcher
	FROM (SELECT 2 + count(*) + current_setting('topgun.merge_workers')::int AS n
		FROM topgun.stat_worker) AS needed
	WHERE needed.n > current_setting('max_worker_processes')::int
	UNION ALL
	SELECT 'error', 'worker ' || concat_ws(' ', w.kind, w.peer),
		format('is not running and has failed %s times in a row', w.failures),
		'See the server log for why it ended.'
	FROM topgun.stat_worker AS w
	WHERE w.pid IS NULL AND w.failures >= 3 AND w.kind <> 'puller';
END;
COMMENT ON FUNCTION topgun_internal.diagnose_workers() IS 'background workers: part of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_node() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'notice', 'database ' || current_database(), 'this database is not a node of a cluster',
		'Use topgun.create_cluster() or topgun.join().'
	FROM topgun.status AS s WHERE s.node_id IS NULL
	UNION ALL
	SELECT 'error', 'node ' || s.name, 'is not in the current view of the cluster: nobody takes what it writes'
			|| CASE current_setting('topgun.fenced_writes') WHEN 'reject' THEN ', and it refuses writes' ELSE '' END,
		'Bring it back with topgun.rejoin(); see topgun.epoch_history on a member for why it was removed.'
	FROM topgun.status AS s WHERE s.state = 'fenced'
	UNION ALL
	SELECT 'error', 'node ' || s.name, format('hears of %s of %s other members, and so of no majority', s.peers_up, s.peers)
			|| CASE current_setting('topgun.minority_writes') WHEN 'reject' THEN ': it refuses writes' ELSE '' END,
		'See topgun.stat_peer for which it does not hear of. If those are gone for good, and only then, use topgun.evict() with force.'
	FROM topgun.status AS s WHERE s.state = 'minority'
	UNION ALL
	SELECT 'error', 'clock', format('the clock of this node is more than %s ahead of a majority''s: it refuses writes',
			current_setting('topgun.max_clock_drift')),
		'Correct the system clock of this server.'
	FROM topgun.status AS s WHERE s.state = 'clock'
	UNION ALL
	SELECT 'warning', 'clock',
		format('the clock of this node runs %s ms ahead of its wall clock', round(s.clock_ahead_ms)),
		'A node of the cluster has, or had, a wall clock that is wrong: compare the times of the servers. Stamps go on from there until the wall clock has caught up.'
	FROM topgun.status AS s WHERE s.clock_ahead_ms > 1000
	UNION ALL
	SELECT 'warning', 'journal',
		format('%s of %s are used: it is about to be cut while a peer has not read it',
			pg_size_pretty(s.journal_bytes), current_setting('topgun.journal_max_size')),
		'See which peer is behind in topgun.stat_peer. One that is behind the cut comes back by difference, which takes longer; topgun.journal_max_size gives it more time.'
	-- what all have read is emptied long before
	FROM topgun.status AS s
	WHERE s.journal_bytes > 0.8 * pg_size_bytes(current_setting('topgun.journal_max_size'))
		AND EXISTS (SELECT FROM topgun.stat_peer AS p WHERE p.state <> 'streaming' OR p.acknowledged_lag_bytes IS NULL
			OR p.acknowledged_lag_bytes > 0);
END;
COMMENT ON FUNCTION topgun_internal.diagnose_node() IS 'this node, its clock and journal: part of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_peers() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE WHEN p.state = 'returning' THEN 'notice' ELSE 'error' END, 'peer ' || p.name,
		CASE p.state
			WHEN 'down' THEN concat_ws(': ', 'cannot be reached', split_part(p.last_error, E'\n', 1))
			WHEN 'connecting' THEN concat_ws(': ', 'cannot be reached', split_part(p.last_error, E'\n', 1))
			WHEN 'refused' THEN concat_ws(': ', 'refuses this node', p.last_error)
			WHEN 'clock' THEN concat_ws(': ', 'sends stamps that are too far ahead', p.last_error)
			WHEN 'journal cut' THEN 'its journal no longer reaches back to where this node has read'
			WHEN 'returning' THEN 'this node finds out by difference what it lacks'
		END,
		CASE p.state
			WHEN 'refused' THEN 'If this node was removed from the cluster, use topgun.rejoin().'
			WHEN 'clock' THEN 'Compare the wall clocks of the two servers and set the wrong one right. Nothing is lost: it goes on by itself.'
			WHEN 'journal cut' THEN 'Nothing: it comes back by difference. If that happens often, raise topgun.journal_max_size or topgun.journal_retention there.'
			WHEN 'returning' THEN 'Wait; see topgun.stat_repair.'
			ELSE 'See whether the server runs, and whether the connection string in topgun.node leads to it from here.'
		END
	FROM topgun.stat_peer AS p
	WHERE p.state IN ('refused', 'clock', 'journal cut', 'returning')
		OR (p.state IN ('down', 'connecting') AND p.retries > 0)
	UNION ALL
	SELECT 'warning', 'peer ' || p.name,
		format('has not yet merged what was written here %s s ago', round(p.acknowledged_lag_ms / 1000)),
		'See topgun.stat_peer and the log there; a long transaction on a locked row there holds up all that comes after it.'
	FROM topgun.stat_peer AS p
	WHERE p.state = 'streaming' AND p.acknowledged_lag_ms > 60000
	UNION ALL
	SELECT 'warning', 'peer ' || p.name,
		format('its wall clock is %s ms %s that of this node', round(abs(p.clock_offset_ms)),
			CASE WHEN p.clock_offset_ms > 0 THEN 'ahead of' ELSE 'behind' END),
		'Compare the wall clocks of the two servers and set the wrong one right. See whether NTP runs.'
	FROM topgun.stat_peer AS p
	WHERE abs(p.clock_offset_ms) - p.round_trip_ms > 1000 AND NOT p.suspected
	UNION ALL
	SELECT 'notice', 'peer ' || p.name,
		format('runs PostgreSQL %s, this node %s', p.server_version_num / 10000,
			current_setting('server_version_num')::int / 10000),
		'Nothing, if you are about to bring one of them to the other version: they replicate meanwhile.'
	FROM topgun.stat_peer AS p
	WHERE p.server_version_num / 10000 <> current_setting('server_version_num')::int / 10000
	UNION ALL
	SELECT 'warning', 'peer ' || p.name,
		format('has topgun %s, this node %s', p.topgun_version, e.extversion),
		'Install the newer version on both, restart the server, and use ALTER EXTENSION topgun UPDATE.'
	FROM topgun.stat_peer AS p JOIN pg_extension AS e ON e.extname = 'topgun'
	WHERE p.topgun_version <> e.extversion
	UNION ALL
	SELECT 'notice', 'node ' || n.name,
		format('was removed from the cluster %s s ago',
			round(extract(epoch FROM clock_timestamp() - topgun.stamp_time(n.topgun_stamp)))),
		'If it is to come back, use topgun.rejoin() there.'
	FROM topgun.node AS n
	WHERE n.state = 'evicted' AND topgun.stamp_time(n.topgun_stamp) > clock_timestamp() - interval '1 day';
END;
COMMENT ON FUNCTION topgun_internal.diagnose_peers() IS 'links to peers: part of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_tables() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE t.state WHEN 'copying' THEN 'notice' ELSE 'error' END,
		format('table %I.%I', t.schema_name, t.table_name),
		CASE t.state
			WHEN 'paused' THEN concat_ws(': ', 'is not replicated at the moment', t.reason)
			WHEN 'missing' THEN concat_ws(': ', 'cannot be replicated here', t.reason)
			ELSE 'is being copied'
		END,
		CASE t.state
			WHEN 'paused' THEN 'Make the table look the same on both nodes; it is copied then by itself.'
			WHEN 'missing' THEN 'Create the table here as it is on the other nodes; it is copied then by itself.'
			ELSE 'Wait; see topgun.progress.'
		END
	FROM topgun.stat_table AS t WHERE t.state <> 'synced'
	UNION ALL
	SELECT 'warning', format('table %I.%I', t.schema_name, t.table_name),
		format('differs from a peer in %s of 65536 leaves, for %s s', t.differing_leaves,
			round(t.oldest_difference_ms / 1000)),
		'Repair should have mended that: see topgun.stat_repair and the log, then use topgun.repair().'
	FROM topgun.stat_table AS t
	-- ten comparisons should do
	WHERE t.differing_leaves > 0 AND t.oldest_difference_ms > 10 * extract(epoch FROM
		COALESCE(NULLIF(current_setting('topgun.repair_interval')::interval, '0'), '1 min')) * 1000
	UNION ALL
	SELECT 'notice', format('table %I.%I', n.nspname, c.relname),
		'has no primary key and cannot be replicated, though other tables of its schema are',
		'Add a primary key, then use topgun.add_table().'
	FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
		AND n.nspname IN (SELECT t.schema_name FROM topgun.replicated_table AS t)
		AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary);
END;
COMMENT ON FUNCTION topgun_internal.diagnose_tables() IS 'replicated tables: part of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_quarantine() RETURNS SETOF topgun_internal.finding
	LANGUAGE sql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'error', format('table %I.%I', t.schema_name, t.table_name),
		format('%s rows from peers could not be applied, the oldest %s s ago: %s', count(*),
			round(extract(epoch FROM clock_timestamp() - min(q.since))), min(q.error)),
		CASE q.sqlstate
			WHEN 'TG010' THEN 'Write the row anew on any node if it is to live; else use topgun.discard_quarantine(), which removes it everywhere.'
			ELSE 'Remove what is in the way, on this node or by changing the row anywhere; they are tried again by themselves, or by topgun.retry_quarantine(). See topgun.quarantine; topgun.discard_quarantine() has what stands here stand everywhere.'
		END
	FROM topgun.quarantine AS q
	JOIN topgun.replicated_table AS t ON t.id = q.table_id
	GROUP BY t.schema_name, t.table_name, q.sqlstate;
END;
COMMENT ON FUNCTION topgun_internal.diagnose_quarantine() IS 'rows that wait: part of topgun.diagnose()';

CREATE FUNCTION topgun_internal.diagnose_orphans() RETURNS SETOF topgun_internal.finding
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	fk record;
	orphans bigint;
BEGIN
	FOR fk IN
		SELECT c.conname, c.conrelid::regclass AS child, c.confrelid::regclass AS parent,
			string_agg(format('child.%I = parent.%I', a.attname, b.attname), ' AND ') AS same,
			string_agg(format('child.%I IS NOT NULL', a.attname), ' AND ') AS complete
		FROM pg_constraint AS c
		CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (child, parent)
		JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.child
		JOIN pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.parent
		WHERE c.contype = 'f' AND c.conparentid = 0
			AND c.conrelid IN (SELECT relid FROM topgun.table_state)
		GROUP BY c.oid, c.conname, c.conrelid, c.confrelid
		ORDER BY c.conrelid::regclass::text, c.conname
	LOOP
		EXECUTE format('SELECT count(*) FROM %s AS child WHERE %s AND NOT EXISTS (SELECT FROM %s AS parent WHERE %s)',
			fk.child, fk.complete, fk.parent, fk.same) INTO orphans;
		IF orphans > 0 THEN
			RETURN NEXT ROW('warning', format('table %s', fk.child),
				format('%s rows refer to rows of %s that are not there (constraint "%s")', orphans, fk.parent, fk.conname),
				'One node deleted the row while another referred to it. Delete the orphans or insert what they refer to, on one node.')::topgun_internal.finding;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION topgun_internal.diagnose_orphans() IS
	'rows whose foreign keys lead nowhere, since merges do not check them: part of topgun.diagnose()';

CREATE FUNCTION topgun.diagnose(thorough boolean DEFAULT false,
	OUT severity text, OUT object text, OUT finding text, OUT what_to_do text)
	RETURNS SETOF record
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	RETURN QUERY SELECT * FROM topgun_internal.diagnose_preload();
	IF FOUND THEN
		RETURN;
	END IF;
	RETURN QUERY
		SELECT * FROM topgun_internal.diagnose_workers()
		UNION ALL SELECT * FROM topgun_internal.diagnose_node()
		UNION ALL SELECT * FROM topgun_internal.diagnose_peers()
		UNION ALL SELECT * FROM topgun_internal.diagnose_tables()
		UNION ALL SELECT * FROM topgun_internal.diagnose_quarantine();
	IF thorough THEN
		RETURN QUERY SELECT * FROM topgun_internal.diagnose_orphans();
	END IF;
END
$$;
COMMENT ON FUNCTION topgun.diagnose(boolean) IS
	'what is wrong with this node, and what to do; no rows if nothing is. thorough also looks for rows whose foreign keys lead nowhere, which reads the tables';
REVOKE ALL ON FUNCTION topgun.diagnose(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION topgun.diagnose(boolean) TO pg_monitor;
