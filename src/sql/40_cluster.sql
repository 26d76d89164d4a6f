-- Clusters: how a database becomes a node, and what peers ask each other.

CREATE FUNCTION topgun.create_cluster(node_name text, dsn text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_create_cluster';
COMMENT ON FUNCTION topgun.create_cluster(text, text) IS
	'make this database node 1 of a new cluster; dsn is how peers will reach it';
REVOKE ALL ON FUNCTION topgun.create_cluster(text, text) FROM PUBLIC;

CREATE FUNCTION topgun.join(node_name text, dsn text, via text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_join';
COMMENT ON FUNCTION topgun.join(text, text, text) IS
	'make this database a node of the cluster of the member at via, and copy its tables; returns the node id';
REVOKE ALL ON FUNCTION topgun.join(text, text, text) FROM PUBLIC;

CREATE FUNCTION topgun.wait_for_sync(timeout interval DEFAULT '60s') RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_wait_for_sync';
COMMENT ON FUNCTION topgun.wait_for_sync(interval) IS
	'wait until all that is committed here now is on every active member, and all that they had is here';
REVOKE ALL ON FUNCTION topgun.wait_for_sync(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION topgun.wait_for_sync(interval) TO pg_monitor;

CREATE FUNCTION topgun.unique_id() RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_unique_id';
COMMENT ON FUNCTION topgun.unique_id() IS 'a bigint that no node of the cluster gives twice, growing with time';

CREATE PROCEDURE topgun_internal.wait_for_changes(request bytea, max_ms int)
	LANGUAGE C
	AS 'MODULE_PATHNAME', 'topgun_wait_for_changes';
COMMENT ON PROCEDURE topgun_internal.wait_for_changes(bytea, int) IS
	'return when there is an answer to a pull request, at the latest after max_ms milliseconds';

CREATE FUNCTION topgun_internal.pull(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_pull';
COMMENT ON FUNCTION topgun_internal.pull(bytea) IS 'what has changed after the cursor of a peer';

CREATE FUNCTION topgun_internal.copy(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_copy';
COMMENT ON FUNCTION topgun_internal.copy(bytea) IS 'a chunk of a table, for a peer that copies it';

CREATE FUNCTION topgun_internal.facts() RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_facts';
COMMENT ON FUNCTION topgun_internal.facts() IS 'what a node compares before it joins';

CREATE FUNCTION topgun_internal.admit(node_name text, dsn text, identity text) RETURNS int
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_admit';
COMMENT ON FUNCTION topgun_internal.admit(text, text, text) IS
	'take the database that dsn leads to into the cluster; returns its node id';

CREATE FUNCTION topgun_internal.database_identity() RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_database_identity';
COMMENT ON FUNCTION topgun_internal.database_identity() IS 'what tells this database from all others';

CREATE FUNCTION topgun_internal.cursors(asker bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_cursors';
COMMENT ON FUNCTION topgun_internal.cursors(bytea) IS 'where a new member starts to read everybody''s journal';

CREATE FUNCTION topgun_internal.sync_state(asker bytea) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_sync_state';
COMMENT ON FUNCTION topgun_internal.sync_state(bytea) IS 'how far this node is, for a member that waits for it';

CREATE FUNCTION topgun_internal.fingerprint(asker bytea, table_id int) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_fingerprint';
COMMENT ON FUNCTION topgun_internal.fingerprint(bytea, int) IS
	'hash of the columns and the key of a replicated table; NULL if it is not here';

CREATE FUNCTION topgun_internal.failpoint(name text, action text) RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_failpoint';
COMMENT ON FUNCTION topgun_internal.failpoint(text, text) IS
	'for tests: off, error, pause, lock, exit or crash at a named place';

CREATE FUNCTION topgun_internal.forget_identity() RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_forget_identity';
COMMENT ON FUNCTION topgun_internal.forget_identity() IS 'this database is no node';


-- The cluster's metadata travel as its data do.
ALTER TABLE topgun.node ALTER topgun_stamp SET DEFAULT topgun.current_stamp();
ALTER TABLE topgun.replicated_table ALTER topgun_stamp SET DEFAULT topgun.current_stamp();
CREATE TRIGGER topgun_capture AFTER INSERT OR UPDATE OR DELETE ON topgun.node
	FOR EACH ROW EXECUTE FUNCTION topgun_internal.capture('1');
CREATE TRIGGER topgun_capture AFTER INSERT OR UPDATE OR DELETE ON topgun.replicated_table
	FOR EACH ROW EXECUTE FUNCTION topgun_internal.capture('2');
ALTER TABLE topgun.node ENABLE ALWAYS TRIGGER topgun_capture;
ALTER TABLE topgun.replicated_table ENABLE ALWAYS TRIGGER topgun_capture;
INSERT INTO topgun.table_state (table_id, relid, state) VALUES
	(1, 'topgun.node'::pg_catalog.regclass, 'synced'),
	(2, 'topgun.replicated_table'::pg_catalog.regclass, 'synced');

SELECT topgun_internal.forget_identity();
