-- Who is there, and in which epoch.

CREATE FUNCTION topgun.epoch() RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_epoch';
COMMENT ON FUNCTION topgun.epoch() IS 'the number of the view of the cluster that this node knows';

CREATE FUNCTION topgun.phi(node_name text) RETURNS float8
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_phi';
COMMENT ON FUNCTION topgun.phi(text) IS 'how sure this node is that the other has failed: 0 it was just heard of, from topgun.phi_threshold on it is suspected';

CREATE FUNCTION topgun_internal.pulse(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_pulse';
COMMENT ON FUNCTION topgun_internal.pulse(bytea) IS 'for peers: a heartbeat, answered with our own';
