-- Views on one node: what they say, what is refused, and leaving.
\set VERBOSITY terse
SELECT epoch, members, reason, proposer, forced FROM topgun.epoch_history;
SELECT topgun.epoch();
SELECT topgun.evict('nobody');
SELECT topgun.evict((SELECT name FROM topgun.node));
SELECT topgun.evict(NULL);
SELECT topgun.rejoin();
SELECT topgun_internal.readmit(77, 'somebody', 1);
SELECT topgun_internal.readmit(0, 'somebody', 1);

CREATE TABLE leaver (id int PRIMARY KEY, v text);
SELECT topgun.add_table('leaver') > 0 AS added;
INSERT INTO leaver VALUES (1, 'as a node');
DELETE FROM leaver WHERE id = 7;

-- taken back, nothing has happened
BEGIN;
SELECT topgun.leave();
SELECT count(*) FROM topgun.node;
ROLLBACK;
INSERT INTO leaver VALUES (2, 'still as a node');
SELECT count(*) AS stamped FROM leaver WHERE topgun_stamp IS NOT NULL;
SELECT count(*) AS nodes FROM topgun.status WHERE node_id IS NOT NULL;

SELECT topgun.leave();
SELECT * FROM leaver ORDER BY id;
INSERT INTO leaver VALUES (3, 'as no node');
SELECT (SELECT count(*) FROM topgun.local_node) AS local_node, (SELECT count(*) FROM topgun.node) AS node,
	(SELECT count(*) FROM topgun.replicated_table) AS replicated_table,
	(SELECT count(*) FROM topgun.cluster_state) AS cluster_state,
	(SELECT count(*) FROM topgun.tombstone) AS tombstone;
SELECT topgun.leave();
SELECT topgun.evict('anybody');
SELECT topgun.rejoin();
SELECT topgun_internal.view();

-- a new cluster begins anew
SELECT topgun.create_cluster('again', 'dbname=regression');
SELECT topgun.add_table('leaver') > 0 AS added;
UPDATE leaver SET v = 'as a node again' WHERE id = 3;
SELECT id, v, topgun_stamp IS NOT NULL AS stamped FROM leaver ORDER BY id;
SELECT epoch, members, reason FROM topgun.epoch_history;
DROP TABLE leaver;
