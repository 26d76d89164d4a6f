-- Who is in the cluster: the view of this node, and how it changes.

CREATE TABLE topgun.cluster_state
(
	epoch bigint NOT NULL,
	view bytea NOT NULL,
	promised bigint NOT NULL DEFAULT 0,
	accepted bigint NOT NULL DEFAULT 0,
	accepted_view bytea
);
CREATE UNIQUE INDEX cluster_state_only_one ON topgun.cluster_state ((true));
COMMENT ON TABLE topgun.cluster_state IS
	'the view that this node knows, and what it has promised and voted about the next one';
REVOKE ALL ON topgun.cluster_state FROM PUBLIC;

CREATE TABLE topgun.epoch_history
(
	epoch bigint PRIMARY KEY,
	at timestamptz NOT NULL,
	members text[] NOT NULL,
	reason text NOT NULL,
	proposer int NOT NULL,
	forced boolean NOT NULL
);
COMMENT ON TABLE topgun.epoch_history IS
	'the views that this node has been told of, the last hundred epochs: who was in them, and why';
REVOKE ALL ON topgun.epoch_history FROM PUBLIC;
GRANT SELECT ON topgun.epoch_history TO pg_monitor;

CREATE TABLE topgun.returning_to
(
	peer_id int PRIMARY KEY
);
COMMENT ON TABLE topgun.returning_to IS 'peers to which this node has to come back by difference';
REVOKE ALL ON topgun.returning_to FROM PUBLIC;

CREATE FUNCTION topgun.leave() RETURNS void
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'topgun_leave';
COMMENT ON FUNCTION topgun.leave() IS
	'leave the cluster, once all that this node has is at every member; its tables become ordinary ones';
REVOKE ALL ON FUNCTION topgun.leave() FROM PUBLIC;

CREATE FUNCTION topgun.evict(node_name text, force boolean DEFAULT false) RETURNS bigint
	LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_evict';
COMMENT ON FUNCTION topgun.evict(text, boolean) IS
	'remove another node from the cluster, alive or not, by the votes of a majority; with force without them, which is safe only if the other nodes are gone. Returns the epoch';
REVOKE ALL ON FUNCTION topgun.evict(text, boolean) FROM PUBLIC;

CREATE FUNCTION topgun.rejoin() RETURNS bigint
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_rejoin';
COMMENT ON FUNCTION topgun.rejoin() IS
	'come back into the cluster after an eviction: this node takes over what it has missed, and its own unsent writes are merged. Returns the epoch';
REVOKE ALL ON FUNCTION topgun.rejoin() FROM PUBLIC;

CREATE FUNCTION topgun_internal.readmit(node_id int, identity text, after bigint) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_readmit';
COMMENT ON FUNCTION topgun_internal.readmit(int, text, bigint) IS
	'for a node that was a member: have a view with it; returns the view';

CREATE FUNCTION topgun_internal.view() RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_view';
COMMENT ON FUNCTION topgun_internal.view() IS 'the newest view that this node knows';

CREATE FUNCTION topgun_internal.view_promise(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_view_promise';
COMMENT ON FUNCTION topgun_internal.view_promise(bytea) IS
	'for a proposer of a view: promise to take part in no lower ballot';

CREATE FUNCTION topgun_internal.view_accept(request bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_view_accept';
COMMENT ON FUNCTION topgun_internal.view_accept(bytea) IS 'for a proposer of a view: vote for it';

CREATE FUNCTION topgun_internal.view_learn(view bytea) RETURNS bytea
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
	AS 'MODULE_PATHNAME', 'topgun_view_learn';
COMMENT ON FUNCTION topgun_internal.view_learn(bytea) IS
	'for peers: a view that was decided; returns the newest that this node knows';

CREATE FUNCTION topgun_internal.forget_cluster() RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	FOR i IN 0..3 LOOP
		EXECUTE format('TRUNCATE topgun.journal_%1$s, topgun.journal_%1$s_part', i);
	END LOOP;
	TRUNCATE topgun.node, topgun.replicated_table, topgun.local_node, topgun.incarnation, topgun.peer_incarnation,
		topgun.tombstone, topgun.unverified, topgun.truncation, topgun.peer_cursor,
		topgun.quarantine, topgun.copy_range, topgun.merkle_tree, topgun.merkle_leaf,
		topgun.cluster_state, topgun.epoch_history, topgun.returning_to;
	DELETE FROM topgun.table_state WHERE table_id >= 16;
	UPDATE topgun.journal_state SET current_segment = 0, cut = NULL;
	UPDATE topgun.fold_state SET position = NULL;
	UPDATE topgun.gc_state SET gc_floor = NULL;
END
$$;
COMMENT ON FUNCTION topgun_internal.forget_cluster() IS
	'make the tables of the extension what they were before this database was a node';
