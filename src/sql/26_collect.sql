-- What collecting tombstones leaves behind.

CREATE TABLE topgun.gc_state
(
	gc_floor topgun.stamp
);
INSERT INTO topgun.gc_state VALUES (NULL);
COMMENT ON TABLE topgun.gc_state IS
	'the greatest stamp of a tombstone that was collected here: a row up to it that is absent may have been deleted';
REVOKE ALL ON topgun.gc_state FROM PUBLIC;
GRANT SELECT ON topgun.gc_state TO pg_monitor;
