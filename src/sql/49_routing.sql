-- Which node clients should use.

CREATE FUNCTION topgun.route(rel regclass, VARIADIC key "any", OUT partition int, OUT node_id int,
	OUT name text, OUT dsn text, OUT backups text[]) RETURNS record
	LANGUAGE C STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_route';
COMMENT ON FUNCTION topgun.route(regclass, "any") IS
	'the member that owns the key, and the members to use if it cannot be reached';

CREATE FUNCTION topgun.pick_node(strategy text, OUT node_id int, OUT name text, OUT dsn text) RETURNS record
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_pick_node';
COMMENT ON FUNCTION topgun.pick_node(text) IS
	'one of the members that can be reached: round_robin, random, least_lag, nearest or sticky';

CREATE FUNCTION topgun.endpoints() RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_endpoints';
COMMENT ON FUNCTION topgun.endpoints() IS 'one libpq connection string for all members';
