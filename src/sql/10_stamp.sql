-- The type topgun.stamp: the version of a row.  No casts, on purpose: nothing
-- but the clock makes a stamp, and nothing else may become one unnoticed.

CREATE TYPE topgun.stamp;

CREATE FUNCTION topgun.stamp_in(cstring) RETURNS topgun.stamp
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_in';
COMMENT ON FUNCTION topgun.stamp_in(cstring) IS 'text input of topgun.stamp';

CREATE FUNCTION topgun.stamp_out(topgun.stamp) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_out';
COMMENT ON FUNCTION topgun.stamp_out(topgun.stamp) IS 'text output of topgun.stamp';

CREATE FUNCTION topgun.stamp_recv(internal) RETURNS topgun.stamp
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_recv';
COMMENT ON FUNCTION topgun.stamp_recv(internal) IS 'binary input of topgun.stamp';

CREATE FUNCTION topgun.stamp_send(topgun.stamp) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_send';
COMMENT ON FUNCTION topgun.stamp_send(topgun.stamp) IS 'binary output of topgun.stamp';

CREATE TYPE topgun.stamp (
	INPUT = topgun.stamp_in,
	OUTPUT = topgun.stamp_out,
	RECEIVE = topgun.stamp_recv,
	SEND = topgun.stamp_send,
	INTERNALLENGTH = 8,
	PASSEDBYVALUE,
	ALIGNMENT = double,
	STORAGE = plain
);
COMMENT ON TYPE topgun.stamp IS 'version of a row: time, counter and the node that wrote it, in the order of writing';

-- When, and by whom.

CREATE FUNCTION topgun.stamp_time(stamp topgun.stamp) RETURNS timestamptz
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_time';
COMMENT ON FUNCTION topgun.stamp_time(stamp topgun.stamp) IS 'when the row was written, by the clock of the node that wrote it';

CREATE FUNCTION topgun.stamp_node(stamp topgun.stamp) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_node';
COMMENT ON FUNCTION topgun.stamp_node(stamp topgun.stamp) IS 'the id of the node that wrote the row';

-- Comparison.

CREATE FUNCTION topgun.stamp_lt(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_lt';
COMMENT ON FUNCTION topgun.stamp_lt(topgun.stamp, topgun.stamp) IS 'implementation of operator <';

CREATE FUNCTION topgun.stamp_le(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_le';
COMMENT ON FUNCTION topgun.stamp_le(topgun.stamp, topgun.stamp) IS 'implementation of operator <=';

CREATE FUNCTION topgun.stamp_eq(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_eq';
COMMENT ON FUNCTION topgun.stamp_eq(topgun.stamp, topgun.stamp) IS 'implementation of operator =';

CREATE FUNCTION topgun.stamp_ne(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_ne';
COMMENT ON FUNCTION topgun.stamp_ne(topgun.stamp, topgun.stamp) IS 'implementation of operator <>';

CREATE FUNCTION topgun.stamp_ge(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_ge';
COMMENT ON FUNCTION topgun.stamp_ge(topgun.stamp, topgun.stamp) IS 'implementation of operator >=';

CREATE FUNCTION topgun.stamp_gt(topgun.stamp, topgun.stamp) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_gt';
COMMENT ON FUNCTION topgun.stamp_gt(topgun.stamp, topgun.stamp) IS 'implementation of operator >';

CREATE OPERATOR topgun.< (
	FUNCTION = topgun.stamp_lt,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.>), NEGATOR = OPERATOR(topgun.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR topgun.< (topgun.stamp, topgun.stamp) IS 'older than';

CREATE OPERATOR topgun.<= (
	FUNCTION = topgun.stamp_le,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.>=), NEGATOR = OPERATOR(topgun.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR topgun.<= (topgun.stamp, topgun.stamp) IS 'older than or equal';

CREATE OPERATOR topgun.= (
	FUNCTION = topgun.stamp_eq,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.=), NEGATOR = OPERATOR(topgun.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR topgun.= (topgun.stamp, topgun.stamp) IS 'equal';

CREATE OPERATOR topgun.<> (
	FUNCTION = topgun.stamp_ne,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.<>), NEGATOR = OPERATOR(topgun.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR topgun.<> (topgun.stamp, topgun.stamp) IS 'not equal';

CREATE OPERATOR topgun.>= (
	FUNCTION = topgun.stamp_ge,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.<=), NEGATOR = OPERATOR(topgun.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR topgun.>= (topgun.stamp, topgun.stamp) IS 'newer than or equal';

CREATE OPERATOR topgun.> (
	FUNCTION = topgun.stamp_gt,
	LEFTARG = topgun.stamp, RIGHTARG = topgun.stamp,
	COMMUTATOR = OPERATOR(topgun.<), NEGATOR = OPERATOR(topgun.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR topgun.> (topgun.stamp, topgun.stamp) IS 'newer than';

-- Indexes and sorting.

CREATE FUNCTION topgun.stamp_cmp(topgun.stamp, topgun.stamp) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'topgun_stamp_cmp';
COMMENT ON FUNCTION topgun.stamp_cmp(topgun.stamp, topgun.stamp) IS 'less-equal-greater, for btree';

CREATE FUNCTION topgun.stamp_sortsupport(internal) RETURNS void
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_sortsupport';
COMMENT ON FUNCTION topgun.stamp_sortsupport(internal) IS 'sort support, for btree';

CREATE FUNCTION topgun.stamp_hash(topgun.stamp) RETURNS integer
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_hash';
COMMENT ON FUNCTION topgun.stamp_hash(topgun.stamp) IS 'hash';

CREATE FUNCTION topgun.stamp_hash_extended(topgun.stamp, bigint) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_hash_extended';
COMMENT ON FUNCTION topgun.stamp_hash_extended(topgun.stamp, bigint) IS 'hash of 64 bits with a seed';

CREATE OPERATOR FAMILY topgun.stamp_ops USING btree;
COMMENT ON OPERATOR FAMILY topgun.stamp_ops USING btree IS 'order of topgun.stamp';

CREATE OPERATOR CLASS topgun.stamp_ops
	DEFAULT FOR TYPE topgun.stamp USING btree FAMILY topgun.stamp_ops AS
		OPERATOR 1 topgun.<,
		OPERATOR 2 topgun.<=,
		OPERATOR 3 topgun.=,
		OPERATOR 4 topgun.>=,
		OPERATOR 5 topgun.>,
		FUNCTION 1 topgun.stamp_cmp(topgun.stamp, topgun.stamp),
		FUNCTION 2 topgun.stamp_sortsupport(internal),
		FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS topgun.stamp_ops USING btree IS 'order of topgun.stamp';

CREATE OPERATOR FAMILY topgun.stamp_ops USING hash;
COMMENT ON OPERATOR FAMILY topgun.stamp_ops USING hash IS 'hashing of topgun.stamp';

CREATE OPERATOR CLASS topgun.stamp_ops
	DEFAULT FOR TYPE topgun.stamp USING hash FAMILY topgun.stamp_ops AS
		OPERATOR 1 topgun.=,
		FUNCTION 1 topgun.stamp_hash(topgun.stamp),
		FUNCTION 2 topgun.stamp_hash_extended(topgun.stamp, bigint);
COMMENT ON OPERATOR CLASS topgun.stamp_ops USING hash IS 'hashing of topgun.stamp';

-- Aggregates.

CREATE FUNCTION topgun.stamp_larger(topgun.stamp, topgun.stamp) RETURNS topgun.stamp
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_larger';
COMMENT ON FUNCTION topgun.stamp_larger(topgun.stamp, topgun.stamp) IS 'the newer of two stamps';

CREATE FUNCTION topgun.stamp_smaller(topgun.stamp, topgun.stamp) RETURNS topgun.stamp
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'topgun_stamp_smaller';
COMMENT ON FUNCTION topgun.stamp_smaller(topgun.stamp, topgun.stamp) IS 'the older of two stamps';

CREATE AGGREGATE topgun.max(topgun.stamp) (
	SFUNC = topgun.stamp_larger,
	STYPE = topgun.stamp,
	COMBINEFUNC = topgun.stamp_larger,
	SORTOP = OPERATOR(topgun.>),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE topgun.max(topgun.stamp) IS 'the newest stamp';

CREATE AGGREGATE topgun.min(topgun.stamp) (
	SFUNC = topgun.stamp_smaller,
	STYPE = topgun.stamp,
	COMBINEFUNC = topgun.stamp_smaller,
	SORTOP = OPERATOR(topgun.<),
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE topgun.min(topgun.stamp) IS 'the oldest stamp';
