-- What a person looks at.

CREATE FUNCTION topgun_internal.node_status(
	OUT node_id int, OUT state text, OUT epoch bigint, OUT clock topgun.stamp, OUT clock_ahead_ms float8,
	OUT last_position topgun.stamp, OUT horizon topgun.stamp, OUT journal_bytes bigint)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_node_status';
COMMENT ON FUNCTION topgun_internal.node_status() IS 'this node: behind view topgun.status';

CREATE FUNCTION topgun_internal.peer_status(
	OUT node_id int, OUT state text, OUT cursor_position topgun.stamp,
	OUT acknowledged_position topgun.stamp, OUT lag_ms float8, OUT acknowledged_lag_ms float8,
	OUT rows_applied bigint, OUT rows_older bigint, OUT rows_equal bigint, OUT conflicts bigint,
	OUT conflicts_won bigint, OUT conflicts_lost bigint, OUT changed_changed bigint,
	OUT changed_deleted bigint, OUT deleted_changed bigint, OUT rows_quarantined bigint,
	OUT received_bytes bigint, OUT answers bigint,
	OUT last_answer timestamptz, OUT failures bigint, OUT retries bigint,
	OUT last_error text, OUT last_error_at timestamptz, OUT server_version_num int,
	OUT topgun_version text, OUT suspected boolean, OUT confirmed boolean, OUT phi float8,
	OUT last_heartbeat timestamptz, OUT round_trip_ms float8, OUT clock_offset_ms float8)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_peer_status';
COMMENT ON FUNCTION topgun_internal.peer_status() IS 'peers: behind view topgun.stat_peer';

CREATE FUNCTION topgun_internal.peer_backlog(node_id int, OUT rows bigint, OUT bytes bigint)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_peer_backlog';
COMMENT ON FUNCTION topgun_internal.peer_backlog(int) IS
	'what a peer has not acknowledged of our journal; much of it is estimated: behind view topgun.stat_peer';

CREATE FUNCTION topgun_internal.merge_status(
	OUT source text, OUT merges bigint, OUT last_merge timestamptz, OUT rows_deleted bigint,
	OUT rows_applied bigint, OUT rows_older bigint, OUT rows_equal bigint, OUT conflicts bigint,
	OUT conflicts_won bigint, OUT conflicts_lost bigint, OUT changed_changed bigint,
	OUT changed_deleted bigint, OUT deleted_changed bigint, OUT rows_quarantined bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_merge_status';
COMMENT ON FUNCTION topgun_internal.merge_status() IS 'what merges have done: behind view topgun.stat_merge';

CREATE FUNCTION topgun_internal.stats_since() RETURNS timestamptz
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_stats_since';
COMMENT ON FUNCTION topgun_internal.stats_since() IS 'since when counters count: a reset, or the start of the server';

CREATE FUNCTION topgun.stat_reset() RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_stat_reset';
COMMENT ON FUNCTION topgun.stat_reset() IS
	'have the counters of this database begin anew: stat_peer, stat_table, stat_merge, stat_repair';
REVOKE ALL ON FUNCTION topgun.stat_reset() FROM PUBLIC;

CREATE FUNCTION topgun_internal.table_counts(table_id int,
	OUT rows_applied bigint, OUT rows_older bigint, OUT rows_equal bigint, OUT conflicts bigint,
	OUT conflicts_won bigint, OUT conflicts_lost bigint, OUT changed_changed bigint,
	OUT changed_deleted bigint, OUT deleted_changed bigint, OUT rows_quarantined bigint,
	OUT tombstones bigint, OUT last_scrub timestamptz)
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_table_counts';
COMMENT ON FUNCTION topgun_internal.table_counts(int) IS 'counters of a table: behind view topgun.stat_table';

CREATE FUNCTION topgun_internal.worker_status(
	OUT kind text, OUT peer_id int, OUT pid int, OUT state text, OUT failures int,
	OUT started timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_worker_status';
COMMENT ON FUNCTION topgun_internal.worker_status() IS 'workers: behind view topgun.stat_worker';

CREATE FUNCTION topgun_internal.merge_row(new_row anyelement, deleted boolean DEFAULT false)
	RETURNS text
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_merge_row';
COMMENT ON FUNCTION topgun_internal.merge_row(anyelement, boolean) IS
	'for tests: merge a row with the stamp it carries, or its deletion, as if it came from a peer';

CREATE FUNCTION topgun_internal.merge_truncate(table_id int, stamp topgun.stamp)
	RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_merge_truncate';
COMMENT ON FUNCTION topgun_internal.merge_truncate(int, topgun.stamp) IS
	'for tests: merge a TRUNCATE with this stamp, as if it came from a peer';

CREATE VIEW topgun.status AS
	SELECT n.node_id, m.name, l.cluster_id, n.state, n.epoch, n.clock, n.clock_ahead_ms, p.clock_offset_ms,
		n.last_position, n.horizon, n.journal_bytes,
		(SELECT count(*) FROM topgun.replicated_table) AS tables,
		(SELECT count(*) FROM topgun.table_state AS s
			WHERE s.table_id >= 16 AND s.state = 'synced') AS tables_synced,
		p.peers, p.peers_up, p.peers_streaming,
		(SELECT count(*) FROM topgun.quarantine) AS quarantined,
		(SELECT max(r.oldest_difference_ms) FROM topgun_internal.repair_status() AS r) AS oldest_difference_ms
	FROM topgun_internal.node_status() AS n
	CROSS JOIN (SELECT count(*) AS peers,
			count(*) FILTER (WHERE NOT p.suspected AND p.last_heartbeat IS NOT NULL) AS peers_up,
			count(*) FILTER (WHERE p.state = 'streaming') AS peers_streaming,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY p.clock_offset_ms) AS clock_offset_ms
		FROM topgun_internal.peer_status() AS p) AS p
	LEFT JOIN topgun.local_node AS l ON true
	LEFT JOIN topgun.node AS m ON m.id = n.node_id;
COMMENT ON VIEW topgun.status IS 'this node, one row';

CREATE VIEW topgun.stat_peer AS
	SELECT p.node_id, m.name, p.state, p.suspected, p.confirmed, p.phi, p.last_heartbeat, p.round_trip_ms,
		p.clock_offset_ms, p.lag_ms, p.acknowledged_lag_ms, b.rows AS acknowledged_lag_rows,
		b.bytes AS acknowledged_lag_bytes, p.cursor_position, p.acknowledged_position,
		p.rows_applied, p.rows_older, p.rows_equal, p.rows_quarantined, p.conflicts, p.conflicts_won,
		p.conflicts_lost, p.received_bytes, p.answers, p.last_answer, p.failures, p.retries,
		p.last_error, p.last_error_at, p.server_version_num, p.topgun_version,
		topgun_internal.stats_since() AS stats_reset
	FROM topgun_internal.peer_status() AS p
	CROSS JOIN LATERAL topgun_internal.peer_backlog(p.node_id) AS b
	LEFT JOIN topgun.node AS m ON m.id = p.node_id;
COMMENT ON VIEW topgun.stat_peer IS 'the peers of this node: links, lag, what was merged, heartbeats';

CREATE VIEW topgun.stat_table AS
	SELECT t.id AS table_id, t.schema_name, t.table_name,
		COALESCE(s.state, 'missing') AS state, s.reason, s.copy_from,
		c.rows_applied, c.rows_older, c.rows_equal, c.rows_quarantined, c.conflicts, c.conflicts_won,
		c.conflicts_lost, c.changed_changed, c.changed_deleted, c.deleted_changed,
		pg_catalog.lpad(pg_catalog.to_hex(m.root), 16, '0') AS root, COALESCE(m.rows, 0) AS rows,
		d.differing_leaves, d.oldest_difference_ms,
		COALESCE(d.rows_repaired, 0) AS rows_repaired, c.last_scrub, c.tombstones,
		(SELECT count(*) FROM topgun.quarantine AS q WHERE q.table_id = t.id) AS quarantined,
		topgun_internal.stats_since() AS stats_reset
	FROM topgun.replicated_table AS t
	LEFT JOIN topgun.table_state AS s ON s.table_id = t.id
	LEFT JOIN topgun.merkle_tree AS m ON m.table_id = t.id
	LEFT JOIN (SELECT r.table_id, max(r.differing_leaves) AS differing_leaves,
			max(r.oldest_difference_ms) AS oldest_difference_ms,
			sum(r.rows_repaired)::bigint AS rows_repaired
		FROM topgun_internal.repair_status() AS r GROUP BY r.table_id) AS d ON d.table_id = t.id
	CROSS JOIN LATERAL topgun_internal.table_counts(t.id) AS c;
COMMENT ON VIEW topgun.stat_table IS 'the replicated tables: whether they are in step, and what was merged';

CREATE VIEW topgun.stat_merge AS
	SELECT s.source, s.merges, s.last_merge, s.rows_applied, s.rows_deleted, s.rows_older, s.rows_equal,
		s.rows_quarantined, s.conflicts, s.conflicts_won, s.conflicts_lost, s.changed_changed,
		s.changed_deleted, s.deleted_changed, topgun_internal.stats_since() AS stats_reset
	FROM topgun_internal.merge_status() AS s;
COMMENT ON VIEW topgun.stat_merge IS 'what this node has merged, by what the merges were part of';

CREATE VIEW topgun.stat_repair AS
	SELECT t.schema_name, t.table_name, m.name AS peer, r.root, r.differing_leaves,
		r.oldest_difference_ms, r.last_compared, r.rows_repaired, r.bytes,
		topgun_internal.stats_since() AS stats_reset
	FROM topgun_internal.repair_status() AS r
	JOIN topgun.replicated_table AS t ON t.id = r.table_id
	JOIN topgun.node AS m ON m.id = r.peer_id;
COMMENT ON VIEW topgun.stat_repair IS
	'each table as compared with each peer: the peer''s root, leaves that differ for good, what was repaired';

CREATE VIEW topgun.stat_worker AS
	SELECT w.kind, m.name AS peer, w.pid, w.state, w.failures, w.started
	FROM topgun_internal.worker_status() AS w
	LEFT JOIN topgun.node AS m ON m.id = w.peer_id;
COMMENT ON VIEW topgun.stat_worker IS 'the background workers of this node';
