-- Comparing tables with those of a peer, and repairing them.

CREATE FUNCTION topgun.merkle_diff(rel regclass, node_name text,
	OUT leaf int, OUT local_rows bigint, OUT remote_rows bigint,
	OUT local_digest text, OUT remote_digest text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_merkle_diff';
COMMENT ON FUNCTION topgun.merkle_diff(regclass, text) IS
	'the leaves of a table''s Merkle tree that differ from those of another node; what is on its way between the two is not among them';
REVOKE ALL ON FUNCTION topgun.merkle_diff(regclass, text) FROM PUBLIC;

CREATE FUNCTION topgun.repair(rel regclass, node_name text, dry_run boolean DEFAULT false,
	OUT key jsonb, OUT action text, OUT local_stamp topgun.stamp, OUT remote_stamp topgun.stamp)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_repair';
COMMENT ON FUNCTION topgun.repair(regclass, text, boolean) IS
	'make the rows of a table the same here and on another node, the newer version winning; one row for each key that differed. A key that one side lacks without a tombstone is damage: the row comes back. With dry_run nothing is changed';
REVOKE ALL ON FUNCTION topgun.repair(regclass, text, boolean) FROM PUBLIC;

CREATE FUNCTION topgun.verify(rel regclass, node_name text, winner text DEFAULT NULL,
	OUT key jsonb, OUT finding text, OUT local_stamp topgun.stamp, OUT remote_stamp topgun.stamp)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_verify';
COMMENT ON FUNCTION topgun.verify(regclass, text, text) IS
	'compare the contents of a table with those on another node; one row for each key that differs. With a winner, one of the two nodes, rows that both have get a fresh stamp there and so replace the others'' everywhere; rows that one side lacks are only reported: topgun.repair() mends those';
REVOKE ALL ON FUNCTION topgun.verify(regclass, text, text) FROM PUBLIC;

CREATE FUNCTION topgun_internal.tree(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_tree';
COMMENT ON FUNCTION topgun_internal.tree(bytea) IS
	'roots and leaves of trees, for a peer that compares';

CREATE FUNCTION topgun_internal.leaf_keys(request bytea) RETURNS SETOF bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_leaf_keys';
COMMENT ON FUNCTION topgun_internal.leaf_keys(bytea) IS
	'keys and stamps of some leaves of a table, in chunks, for a peer that compares';

CREATE FUNCTION topgun_internal.versions(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_versions';
COMMENT ON FUNCTION topgun_internal.versions(bytea) IS
	'newer versions of keys than a peer has, and which of its own are newer';

CREATE FUNCTION topgun_internal.take(answer bytea) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_take';
COMMENT ON FUNCTION topgun_internal.take(bytea) IS
	'merge newer versions that a peer has; returns how many were applied and how many are in quarantine';

CREATE FUNCTION topgun_internal.row_states(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_row_states';
COMMENT ON FUNCTION topgun_internal.row_states(bytea) IS
	'stamps and digests of some rows, for a peer that verifies';

CREATE FUNCTION topgun_internal.restamp(request bytea) RETURNS int
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_restamp';
COMMENT ON FUNCTION topgun_internal.restamp(bytea) IS
	'give some rows a fresh stamp, for a peer that verifies; returns how many';

CREATE FUNCTION topgun_internal.repair_status(
	OUT table_id int, OUT peer_id int, OUT root text, OUT differing_leaves int,
	OUT oldest_difference_ms float8, OUT last_compared timestamptz,
	OUT rows_repaired bigint, OUT bytes bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_repair_status';
COMMENT ON FUNCTION topgun_internal.repair_status() IS
	'what comparing with peers has shown: behind view topgun.stat_repair';
