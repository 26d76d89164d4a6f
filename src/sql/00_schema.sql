-- The schemas, and the role that peers connect as.
\echo Use "CREATE EXTENSION topgun" to load this file. \quit

CREATE SCHEMA topgun_internal;
COMMENT ON SCHEMA topgun_internal IS 'entry points of topgun for its peers and its own triggers';
REVOKE ALL ON SCHEMA topgun_internal FROM PUBLIC;

DO $$
BEGIN
	CREATE ROLE topgun_peer NOLOGIN;
EXCEPTION WHEN duplicate_object THEN
	NULL;
END
$$;

GRANT USAGE ON SCHEMA topgun TO PUBLIC;
GRANT USAGE ON SCHEMA topgun_internal TO topgun_peer;
