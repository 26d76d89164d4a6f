-- Bulk jobs: work in slices, done by background workers.

CREATE PROCEDURE topgun.merge_batch(rel regclass, source regclass, workers int DEFAULT NULL,
	INOUT applied bigint DEFAULT NULL, INOUT older bigint DEFAULT NULL,
	INOUT equal bigint DEFAULT NULL, INOUT deleted bigint DEFAULT NULL,
	INOUT quarantined bigint DEFAULT NULL)
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'topgun_merge_batch';
COMMENT ON PROCEDURE topgun.merge_batch(regclass, regclass, int, bigint, bigint, bigint, bigint, bigint) IS
	'merge rows that carry their own stamps: columns of rel, topgun_stamp, optionally topgun_deleted';
REVOKE ALL ON PROCEDURE topgun.merge_batch(regclass, regclass, int, bigint, bigint, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION topgun_internal.job_progress(
	OUT pid int, OUT kind text, OUT relid oid, OUT peer_id int, OUT phase text, OUT workers int,
	OUT slices_done int, OUT slices_total int, OUT rows_done bigint, OUT started timestamptz)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_job_progress';
COMMENT ON FUNCTION topgun_internal.job_progress() IS 'running bulk jobs: behind view topgun.progress';

CREATE VIEW topgun.progress AS
	SELECT j.pid, j.kind, j.relid::pg_catalog.regclass AS relation, m.name AS peer, j.phase, j.workers,
		j.slices_done, j.slices_total, j.rows_done,
		pg_catalog.round((j.rows_done / greatest(s.seconds, 0.001))::numeric) AS rows_per_second,
		j.started,
		CASE WHEN j.phase = 'merging' AND j.slices_done > 0
			THEN pg_catalog.clock_timestamp() + s.seconds * (j.slices_total - j.slices_done) / j.slices_done
				* interval '1 s'
		END AS estimated_end
	FROM topgun_internal.job_progress() AS j
	CROSS JOIN LATERAL (SELECT extract(epoch FROM pg_catalog.clock_timestamp() - j.started)::float8 AS seconds) AS s
	LEFT JOIN topgun.node AS m ON m.id = j.peer_id;
COMMENT ON VIEW topgun.progress IS 'bulk jobs that are running: how far they are';

REVOKE ALL ON FUNCTION topgun_internal.job_progress() FROM PUBLIC;
REVOKE ALL ON topgun.progress FROM PUBLIC;
GRANT EXECUTE ON FUNCTION topgun_internal.job_progress() TO pg_monitor;
GRANT SELECT ON topgun.progress TO pg_monitor;
