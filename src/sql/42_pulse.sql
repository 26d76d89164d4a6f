-- Who is there, and in which epoch.

CREATE FUNCTION topgun.epoch() RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_epoch';
COMMENT ON FUNCTION topgun.epoch() IS 'the number of the view of the cluster that this node knows';
