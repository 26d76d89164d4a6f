-- Who may do what.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA topgun_internal FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA topgun_internal FROM PUBLIC;
REVOKE ALL ON topgun.status, topgun.stat_peer, topgun.stat_table, topgun.stat_merge, topgun.stat_repair, topgun.stat_worker FROM PUBLIC;
GRANT USAGE ON SCHEMA topgun_internal TO pg_monitor;
GRANT SELECT ON topgun.status, topgun.stat_peer, topgun.stat_table, topgun.stat_merge, topgun.stat_repair, topgun.stat_worker TO pg_monitor;
GRANT EXECUTE ON FUNCTION topgun_internal.node_status(), topgun_internal.peer_status(),
	topgun_internal.peer_backlog(int), topgun_internal.merge_status(), topgun_internal.stats_since(),
	topgun_internal.table_counts(int), topgun_internal.worker_status(),
	topgun_internal.repair_status() TO pg_monitor;
GRANT EXECUTE ON PROCEDURE topgun_internal.wait_for_changes(bytea, int) TO topgun_peer;
GRANT EXECUTE ON FUNCTION topgun_internal.pull(bytea), topgun_internal.copy(bytea),
	topgun_internal.copy_bounds(bytea), topgun_internal.copy_range(bytea),
	topgun_internal.facts(), topgun_internal.admit(text, text, text), topgun_internal.database_identity(), topgun_internal.cursors(bytea),
	topgun_internal.sync_state(bytea), topgun_internal.tree_roots(bytea), topgun_internal.fingerprint(bytea, int) TO topgun_peer;
GRANT EXECUTE ON FUNCTION topgun_internal.tree(bytea), topgun_internal.leaf_keys(bytea),
	topgun_internal.versions(bytea), topgun_internal.take(bytea),
	topgun_internal.row_states(bytea), topgun_internal.restamp(bytea),
	topgun_internal.pulse(bytea) TO topgun_peer;
GRANT EXECUTE ON FUNCTION topgun_internal.view(), topgun_internal.view_promise(bytea),
	topgun_internal.view_accept(bytea), topgun_internal.view_learn(bytea),
	topgun_internal.readmit(int, text, bigint),
	topgun_internal.token(bytea, int, text, bigint) TO topgun_peer;
