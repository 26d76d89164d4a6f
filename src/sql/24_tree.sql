-- The Merkle trees of the replicated tables, and how far they are with the
-- journal.  Of this node alone; not dumped, since a restored one begins anew.

CREATE TABLE topgun.merkle_tree
(
	table_id int PRIMARY KEY,
	root bigint NOT NULL,
	rows bigint NOT NULL
) WITH (fillfactor = 50);
-- in one command, so that it gets no TOAST table
ALTER TABLE topgun.merkle_tree
	ADD groups bytea NOT NULL,
	ALTER groups SET STORAGE PLAIN;
COMMENT ON TABLE topgun.merkle_tree IS 'root and upper level of the tree of each table';
REVOKE ALL ON topgun.merkle_tree FROM PUBLIC;

CREATE TABLE topgun.merkle_leaf
(
	table_id int NOT NULL,
	group_no int NOT NULL,
	PRIMARY KEY (table_id, group_no)
) WITH (fillfactor = 50);
ALTER TABLE topgun.merkle_leaf
	ADD leaves bytea NOT NULL,
	ALTER leaves SET STORAGE PLAIN;
COMMENT ON TABLE topgun.merkle_leaf IS 'leaves of the trees, 256 a row; a group without rows is not there';
REVOKE ALL ON topgun.merkle_leaf FROM PUBLIC;

CREATE TABLE topgun.fold_state
(
	position topgun.stamp
) WITH (fillfactor = 10);
INSERT INTO topgun.fold_state VALUES (NULL);
COMMENT ON TABLE topgun.fold_state IS 'the position up to which the journal is in the trees';
REVOKE ALL ON topgun.fold_state FROM PUBLIC;

CREATE FUNCTION topgun.merkle_root(rel regclass) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_merkle_root';
COMMENT ON FUNCTION topgun.merkle_root(regclass) IS
	'the root of a table''s Merkle tree on this node, as far as the journal has been folded into it';
REVOKE ALL ON FUNCTION topgun.merkle_root(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION topgun.merkle_root(regclass) TO pg_monitor;

CREATE FUNCTION topgun_internal.tree_roots() RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_tree_roots';
COMMENT ON FUNCTION topgun_internal.tree_roots() IS
	'the roots of all trees with all that is committed now, one line a table';

CREATE FUNCTION topgun_internal.tree_roots(asker bytea) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_tree_roots';
COMMENT ON FUNCTION topgun_internal.tree_roots(bytea) IS 'for peers: the same';

CREATE FUNCTION topgun.converged(rel regclass DEFAULT NULL) RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_converged';
COMMENT ON FUNCTION topgun.converged(regclass) IS
	'whether all active members hold the same rows of a table, or of all tables';
REVOKE ALL ON FUNCTION topgun.converged(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION topgun.converged(regclass) TO pg_monitor;
