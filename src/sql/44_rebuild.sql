-- Deriving a tree from the rows.

CREATE FUNCTION topgun.merkle_rebuild(rel regclass, workers int DEFAULT NULL) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_merkle_rebuild';
COMMENT ON FUNCTION topgun.merkle_rebuild(regclass, int) IS
	'derive the Merkle tree of a table from its rows; returns the number of leaves that were wrong';
REVOKE ALL ON FUNCTION topgun.merkle_rebuild(regclass, int) FROM PUBLIC;
