-- TRUNCATE is a stamp: rows older than it are gone.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t);
SELECT topgun.add_table('t') > 0 AS added;
SELECT topgun.add_table('u') > 0 AS added;
CREATE VIEW truncated AS
	SELECT relid::regclass AS tab, stamp FROM topgun.truncation JOIN topgun.table_state USING (table_id)
	WHERE relid IN ('t'::regclass, 'u'::regclass);
INSERT INTO t SELECT generate_series(1, 10);
SELECT count(*) FROM fresh('t');

TRUNCATE t;
TRUNCATE t CASCADE;
SELECT tab, stamp OPERATOR(topgun.>) current_setting('test.seen')::topgun.stamp AS fresh FROM truncated ORDER BY 1;
SELECT count(*) FROM t;

-- Rows written before and after it in one transaction.
BEGIN;
INSERT INTO u VALUES (1);
TRUNCATE u;
INSERT INTO u VALUES (2);
COMMIT;
SELECT id, topgun_stamp OPERATOR(topgun.>) stamp AS newer FROM u, truncated WHERE tab = 'u'::regclass;

-- Twice, rolled back, in a savepoint.
SELECT stamp AS before FROM truncated WHERE tab = 'u'::regclass \gset
BEGIN;
TRUNCATE u;
ROLLBACK;
SELECT stamp OPERATOR(topgun.=) :'before' AS same FROM truncated WHERE tab = 'u'::regclass;
BEGIN;
SAVEPOINT s;
TRUNCATE u;
ROLLBACK TO s;
COMMIT;
SELECT stamp OPERATOR(topgun.=) :'before' AS same FROM truncated WHERE tab = 'u'::regclass;
BEGIN;
TRUNCATE u;
TRUNCATE u;
TRUNCATE u, t RESTART IDENTITY;
COMMIT;
SELECT stamp OPERATOR(topgun.>) :'before' AS newer FROM truncated WHERE tab = 'u'::regclass;
SELECT count(*) FROM topgun.tombstone JOIN topgun.table_state USING (table_id) WHERE relid = 'u'::regclass;

-- As somebody who may do nothing else.
CREATE ROLE regress_emptier;
GRANT TRUNCATE ON u TO regress_emptier;
INSERT INTO u VALUES (1);
SET ROLE regress_emptier;
TRUNCATE u;
RESET ROLE;
SELECT count(*) FROM u;
BEGIN;
TRUNCATE u;
PREPARE TRANSACTION 'no';

DROP VIEW truncated;
SELECT topgun.remove_table(x) FROM unnest('{u,t}'::regclass[]) x;
DROP TABLE u, t;
DROP ROLE regress_emptier;
