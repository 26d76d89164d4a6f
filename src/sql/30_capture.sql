-- How tables become replicated, and how their changes are seen.

-- Not really stable: each call ticks the clock.  But COPY inserts rows one at
-- a time into a table that has a volatile default.
CREATE FUNCTION topgun.current_stamp() RETURNS topgun.stamp
	LANGUAGE C STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_current_stamp';
COMMENT ON FUNCTION topgun.current_stamp() IS 'a fresh stamp for a row that is written now';

CREATE FUNCTION topgun_internal.capture() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_capture';
COMMENT ON FUNCTION topgun_internal.capture() IS 'trigger that journals each change of a replicated table';
REVOKE ALL ON FUNCTION topgun_internal.capture() FROM PUBLIC;

CREATE FUNCTION topgun_internal.capture_truncate() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_capture_truncate';
COMMENT ON FUNCTION topgun_internal.capture_truncate() IS 'trigger that journals the truncation of a replicated table';
REVOKE ALL ON FUNCTION topgun_internal.capture_truncate() FROM PUBLIC;

CREATE FUNCTION topgun_internal.stamp_row() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_row';
COMMENT ON FUNCTION topgun_internal.stamp_row() IS 'trigger that stamps rows of tables written by something else than SQL';
REVOKE ALL ON FUNCTION topgun_internal.stamp_row() FROM PUBLIC;

-- Not for every owner of a table: on the other nodes a table of this name may
-- belong to somebody else.
CREATE FUNCTION topgun.add_table(rel regclass, options jsonb DEFAULT '{}') RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_add_table';
COMMENT ON FUNCTION topgun.add_table(regclass, jsonb) IS 'replicate a table on all nodes of the cluster';
REVOKE ALL ON FUNCTION topgun.add_table(regclass, jsonb) FROM PUBLIC;

CREATE FUNCTION topgun.remove_table(rel regclass) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_remove_table';
COMMENT ON FUNCTION topgun.remove_table(regclass) IS 'stop replicating a table, on all nodes of the cluster';
REVOKE ALL ON FUNCTION topgun.remove_table(regclass) FROM PUBLIC;
