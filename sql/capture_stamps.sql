-- The trigger refuses stamps that are not fresh, and helps those that came
-- too late.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE t (id int PRIMARY KEY, v int);
SELECT topgun.add_table('t') > 0 AS added;
INSERT INTO t VALUES (1, 1), (2, 2);
SELECT * FROM fresh('t');

-- A trigger of the user sets the stamp.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	new.topgun_stamp := CASE new.v
		WHEN 10 THEN NULL
		WHEN 11 THEN '2001-01-01 00:00:00.000Z/0@1'::topgun.stamp
		WHEN 12 THEN '2001-01-01 00:00:00.000Z/0@2'::topgun.stamp
		WHEN 13 THEN topgun.current_stamp()
		ELSE new.topgun_stamp END;
	RETURN new;
END
$$;
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO t VALUES (3, 10);
INSERT INTO t VALUES (3, 11);
UPDATE t SET v = 12 WHERE id = 1;
UPDATE t SET v = 13 WHERE id = 1;
SELECT * FROM fresh('t');
\set VERBOSITY sqlstate
INSERT INTO t VALUES (3, 10);
\set VERBOSITY default

-- With option "stamping" the user's trigger does not matter.
SELECT topgun.remove_table('t');
SELECT topgun.add_table('t', '{"stamping": "trigger"}') > 0 AS added;
INSERT INTO t VALUES (3, 10), (4, 11);
UPDATE t SET v = 12 WHERE id = 1;
COPY t (id, v, topgun_stamp) FROM STDIN;
5	5	2001-01-01 00:00:00.000Z/0@2
6	10	\N
\.
SELECT * FROM fresh('t');
SET session_replication_role = replica;
UPDATE t SET v = 20 WHERE id = 2;
RESET session_replication_role;
SELECT * FROM fresh('t');
SELECT topgun.remove_table('t');
DROP TRIGGER meddle ON t;
SELECT topgun.add_table('t') > 0 AS added;

-- Rows of a dump may be ahead of the clock: what replaces them is newer still.
CREATE FUNCTION ahead(by interval, node int) RETURNS topgun.stamp LANGUAGE sql AS $$
	SELECT (to_char((clock_timestamp() + by) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || 'Z/0@' || node)::topgun.stamp
$$;
SELECT topgun.remove_table('t');
ALTER TABLE t ADD COLUMN topgun_stamp topgun.stamp;
UPDATE t SET topgun_stamp = ahead('10 s', 7);
SELECT topgun.add_table('t') > 0 AS added;
CREATE TABLE was AS SELECT id, topgun_stamp FROM t;
UPDATE t SET v = 30 WHERE id = 1;
DELETE FROM t WHERE id = 2;
SELECT t.id, v, t.topgun_stamp OPERATOR(topgun.>) was.topgun_stamp AS newer, topgun.stamp_node(t.topgun_stamp) AS node
FROM t JOIN was USING (id) ORDER BY id;
SELECT bool_and(d.stamp OPERATOR(topgun.>) was.topgun_stamp) AS newer
FROM topgun.tombstone d JOIN topgun.table_state s USING (table_id), was WHERE relid = 't'::regclass AND was.id = 2;
-- ... unless it is too far.
SELECT topgun.remove_table('t');
ALTER TABLE t ADD COLUMN topgun_stamp topgun.stamp;
UPDATE t SET topgun_stamp = '2099-01-01 00:00:00.000Z/0@7';
SELECT topgun.add_table('t') > 0 AS added;
\set VERBOSITY sqlstate
UPDATE t SET v = 40 WHERE id = 1;
DELETE FROM t WHERE id = 1;
\set VERBOSITY default
SELECT topgun.remove_table('t');

-- Trigger functions are for triggers of their kind.
SELECT topgun_internal.capture();
SELECT topgun_internal.stamp_row();
SELECT topgun_internal.capture_truncate();
CREATE TRIGGER wrong BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION topgun_internal.capture('99');
INSERT INTO t VALUES (50);
DROP TRIGGER wrong ON t;
CREATE TRIGGER wrong AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION topgun_internal.capture('99');
INSERT INTO t VALUES (50);
DROP TRIGGER wrong ON t;
CREATE TRIGGER wrong AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION topgun_internal.stamp_row();
INSERT INTO t VALUES (50);
DROP TRIGGER wrong ON t;
CREATE TRIGGER wrong AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION topgun_internal.capture_truncate();
TRUNCATE t;
DROP TRIGGER wrong ON t;

-- A replicated table that loses what it needs says so.
SELECT topgun.add_table('t') > 0 AS added;
ALTER TABLE t DROP CONSTRAINT t_pkey;
INSERT INTO t VALUES (60);
ALTER TABLE t ADD PRIMARY KEY (id);
INSERT INTO t VALUES (60);
ALTER TABLE t ADD COLUMN w int DEFAULT 7;
ALTER TABLE t RENAME v TO x;
UPDATE t SET x = 8 WHERE id = 60;
ALTER TABLE t ALTER id TYPE bigint;
UPDATE t SET x = 9 WHERE id = 60;
SELECT * FROM fresh('t') WHERE data LIKE '%60%';
SELECT topgun.remove_table('t');

-- No stamps in a transaction that may not write.
BEGIN READ ONLY;
SELECT topgun.current_stamp() IS NOT NULL AS stamp;
COMMIT;
SELECT proname, provolatile, proparallel FROM pg_proc WHERE proname = 'current_stamp';
DROP TABLE t, was;
DROP FUNCTION meddle, ahead;
