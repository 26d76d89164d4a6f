-- Copies of whole tables, range of keys by range of keys.

CREATE TABLE topgun.copy_range
(
	table_id int NOT NULL,
	copy bigint NOT NULL,
	number int NOT NULL,
	after bytea,
	upto bytea,
	PRIMARY KEY (table_id, copy, number)
);
COMMENT ON TABLE topgun.copy_range IS 'ranges of keys that are still to be copied from a peer';
REVOKE ALL ON topgun.copy_range FROM PUBLIC;

CREATE FUNCTION topgun_internal.copy_bounds(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_copy_bounds';
COMMENT ON FUNCTION topgun_internal.copy_bounds(bytea) IS 'where a peer that copies a table cuts it into ranges of keys';

CREATE FUNCTION topgun_internal.copy_range(request bytea) RETURNS SETOF bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_copy_range';
COMMENT ON FUNCTION topgun_internal.copy_range(bytea) IS 'the rows of a range of keys, piece by piece, for a peer that copies the table';
