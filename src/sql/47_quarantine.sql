-- Rows that could not be applied here: trying them again, giving them up.

CREATE FUNCTION topgun.retry_quarantine(rel regclass DEFAULT NULL, key bytea DEFAULT NULL) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_retry_quarantine';
COMMENT ON FUNCTION topgun.retry_quarantine(regclass, bytea) IS
	'try now to merge what is in quarantine, of one table or with one key of topgun.quarantine; returns how many rows could be merged';
REVOKE ALL ON FUNCTION topgun.retry_quarantine(regclass, bytea) FROM PUBLIC;

CREATE FUNCTION topgun.discard_quarantine(rel regclass, key bytea DEFAULT NULL) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_discard_quarantine';
COMMENT ON FUNCTION topgun.discard_quarantine(regclass, bytea) IS
	'give up what is in quarantine of a table, or with one key of it: what this node has in its place, a row or none, gets a fresh stamp and goes to all nodes; returns how many rows were given up';
REVOKE ALL ON FUNCTION topgun.discard_quarantine(regclass, bytea) FROM PUBLIC;
