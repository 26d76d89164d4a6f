-- What a node keeps on disk.

-- Cluster metadata.  These two are replicated tables themselves (ids 1, 2).
CREATE TABLE topgun.node
(
	id int PRIMARY KEY CHECK (id BETWEEN 1 AND 1023),
	name text NOT NULL,
	dsn text NOT NULL,
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'left', 'evicted')),
	topgun_stamp topgun.stamp
);
COMMENT ON TABLE topgun.node IS 'members of the cluster; replicated';
REVOKE ALL ON topgun.node FROM PUBLIC;
GRANT SELECT (id, name, state) ON topgun.node TO PUBLIC;

CREATE TABLE topgun.replicated_table
(
	id int PRIMARY KEY,
	schema_name text NOT NULL,
	table_name text NOT NULL,
	options jsonb NOT NULL DEFAULT '{}',
	topgun_stamp topgun.stamp
);
COMMENT ON TABLE topgun.replicated_table IS 'tables that the cluster replicates; replicated';
GRANT SELECT ON topgun.replicated_table TO PUBLIC;

-- Who this database is.
CREATE TABLE topgun.local_node
(
	node_id int NOT NULL CHECK (node_id BETWEEN 1 AND 1023),
	cluster_id uuid NOT NULL,
	database oid NOT NULL,
	joined_via int
);
CREATE UNIQUE INDEX local_node_only_one ON topgun.local_node ((true));
COMMENT ON TABLE topgun.local_node IS 'the node that this database is; empty if it is none';
GRANT SELECT ON topgun.local_node TO PUBLIC;

CREATE TABLE topgun.incarnation
(
	counter bigint PRIMARY KEY,
	random bigint NOT NULL,
	began timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE topgun.incarnation IS 'the lives of this node, one for each start of the server';
REVOKE ALL ON topgun.incarnation FROM PUBLIC;

CREATE TABLE topgun.peer_incarnation
(
	node_id int PRIMARY KEY,
	since bigint NOT NULL,
	counter bigint NOT NULL,
	random bigint NOT NULL,
	newest bigint NOT NULL,
	refused text NOT NULL
);
COMMENT ON TABLE topgun.peer_incarnation IS 'the life of each peer that this node accepts, the newest stamp of it, and lives that it refuses';
REVOKE ALL ON topgun.peer_incarnation FROM PUBLIC;

CREATE TABLE topgun.table_state
(
	table_id int PRIMARY KEY,
	relid oid NOT NULL,
	state text NOT NULL CHECK (state IN ('synced', 'copying', 'paused', 'missing')),
	reason text,
	copy_from int,
	copy_after bytea
);
COMMENT ON TABLE topgun.table_state IS 'replicated tables as they stand on this node';
GRANT SELECT ON topgun.table_state TO PUBLIC;

-- The journal: segments in rotation, emptied by TRUNCATE.
DO $$
BEGIN
	FOR i IN 0..3 LOOP
		EXECUTE format($sql$
			CREATE TABLE topgun.journal_%1$s
			(
				position topgun.stamp NOT NULL,
				batch topgun.stamp NOT NULL,
				parts int NOT NULL,
				mark topgun.stamp NOT NULL,
				merged_from int NOT NULL,
				only_deletes bool NOT NULL
			) WITH (autovacuum_enabled = off);
			-- in one command, so that it gets no TOAST table
			ALTER TABLE topgun.journal_%1$s
				ADD advance bytea NOT NULL,
				ADD entries bytea NOT NULL,
				ALTER advance SET STORAGE PLAIN,
				ALTER entries SET STORAGE PLAIN;
			CREATE INDEX journal_%1$s_position ON topgun.journal_%1$s (position);
			COMMENT ON TABLE topgun.journal_%1$s IS 'journal segment: one row a transaction';
			REVOKE ALL ON topgun.journal_%1$s FROM PUBLIC;

			CREATE TABLE topgun.journal_%1$s_part
			(
				batch topgun.stamp NOT NULL,
				part int NOT NULL
			) WITH (autovacuum_enabled = off);
			ALTER TABLE topgun.journal_%1$s_part
				ADD entries bytea NOT NULL,
				ALTER entries SET STORAGE PLAIN;
			CREATE INDEX journal_%1$s_part_batch ON topgun.journal_%1$s_part (batch, part);
			COMMENT ON TABLE topgun.journal_%1$s_part IS 'journal segment: entries of large transactions';
			REVOKE ALL ON topgun.journal_%1$s_part FROM PUBLIC;
		$sql$, i);
	END LOOP;
END
$$;

CREATE TABLE topgun.journal_state
(
	current_segment int NOT NULL,
	cut topgun.stamp
);
INSERT INTO topgun.journal_state VALUES (0, NULL);
COMMENT ON TABLE topgun.journal_state IS 'the segment written now, and the position below which the journal is gone';

CREATE TABLE topgun.tombstone
(
	stamp topgun.stamp NOT NULL,
	table_id int NOT NULL,
	key_hash int NOT NULL,
	key bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX tombstone_key ON topgun.tombstone (table_id, key_hash);
COMMENT ON TABLE topgun.tombstone IS 'deleted keys';
REVOKE ALL ON topgun.tombstone FROM PUBLIC;

CREATE TABLE topgun.unverified
(
	stamp topgun.stamp NOT NULL,
	table_id int NOT NULL,
	key bytea NOT NULL
);
COMMENT ON TABLE topgun.unverified IS 'merged deletions to be looked at again, once older local writes have ended';
REVOKE ALL ON topgun.unverified FROM PUBLIC;

CREATE TABLE topgun.truncation
(
	table_id int PRIMARY KEY,
	stamp topgun.stamp NOT NULL
);
COMMENT ON TABLE topgun.truncation IS 'rows older than this are gone';

CREATE TABLE topgun.peer_cursor
(
	peer_id int PRIMARY KEY,
	position topgun.stamp,
	part bigint NOT NULL,
	vector bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE topgun.peer_cursor IS 'how far this node has read the journal of each peer, and what that covers';

-- Segments in rotation, emptied by TRUNCATE.
DO $$
BEGIN
	FOR i IN 0..3 LOOP
		EXECUTE format($sql$
			CREATE TABLE topgun.conflict_%1$s
			(
				at timestamptz NOT NULL,
				table_id int NOT NULL,
				kind text NOT NULL,
				winner text NOT NULL,
				reason text NOT NULL,
				local_stamp topgun.stamp NOT NULL,
				remote_stamp topgun.stamp NOT NULL,
				local_row json,
				remote_row json,
				peer_id int NOT NULL
			) WITH (autovacuum_enabled = off);
			COMMENT ON TABLE topgun.conflict_%1$s IS 'some of the rows of view topgun.conflict';
			REVOKE ALL ON topgun.conflict_%1$s FROM PUBLIC;
		$sql$, i);
	END LOOP;
END
$$;

CREATE VIEW topgun.conflict AS
	SELECT c.at, c.table_id, t.schema_name, t.table_name, c.kind, c.winner, c.reason,
		l.name AS local_writer, r.name AS remote_writer, c.local_stamp, c.remote_stamp,
		c.local_row, c.remote_row, c.peer_id
	FROM (SELECT * FROM topgun.conflict_0 UNION ALL SELECT * FROM topgun.conflict_1
		UNION ALL SELECT * FROM topgun.conflict_2 UNION ALL SELECT * FROM topgun.conflict_3) AS c
	LEFT JOIN topgun.replicated_table AS t ON t.id = c.table_id
	LEFT JOIN topgun.node AS l ON l.id = topgun.stamp_node(c.local_stamp)
	LEFT JOIN topgun.node AS r ON r.id = topgun.stamp_node(c.remote_stamp);
COMMENT ON VIEW topgun.conflict IS 'concurrent changes of one row: both versions, which one stands, and what has made it the newer one';
REVOKE ALL ON topgun.conflict FROM PUBLIC;
GRANT SELECT ON topgun.conflict TO pg_monitor;

CREATE TABLE topgun.quarantine
(
	table_id int NOT NULL,
	key bytea NOT NULL,
	stamp topgun.stamp,
	deleted boolean NOT NULL,
	payload bytea NOT NULL,
	fingerprint bigint NOT NULL,
	row_data json,
	error text NOT NULL,
	sqlstate text NOT NULL,
	peer_id int NOT NULL,
	tries int NOT NULL DEFAULT 1,
	since timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	last_try timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (table_id, key)
);
COMMENT ON TABLE topgun.quarantine IS 'rows that came from a peer and could not be applied here; they are retried';
REVOKE ALL ON topgun.quarantine FROM PUBLIC;
GRANT SELECT ON topgun.quarantine TO pg_monitor;

CREATE SEQUENCE topgun_internal.table_number AS int MINVALUE 16 MAXVALUE 1048575;
COMMENT ON SEQUENCE topgun_internal.table_number IS 'the local half of the ids of tables added here';
CREATE SEQUENCE topgun_internal.unique_number AS bigint;

SELECT pg_catalog.pg_extension_config_dump('topgun.node', '');
SELECT pg_catalog.pg_extension_config_dump('topgun.replicated_table', '');
SELECT pg_catalog.pg_extension_config_dump('topgun.tombstone', '');
SELECT pg_catalog.pg_extension_config_dump('topgun.truncation', '');
