-- Keys: their types, their changes, and what deletion leaves behind.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE EXTENSION citext;

-- How many tombstones a table has.
CREATE FUNCTION deleted(rel regclass) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM topgun.tombstone JOIN topgun.table_state USING (table_id) WHERE relid = rel
$$;

CREATE TABLE k (id int PRIMARY KEY, v text);
SELECT topgun.add_table('k') > 0 AS added;
INSERT INTO k SELECT i, 'v' FROM generate_series(1, 4) i;
SELECT * FROM fresh('k');

-- To a new key, to one of a moment ago, all of them by one, swapped.
UPDATE k SET id = 10 WHERE id = 1;
SELECT * FROM fresh('k');
SELECT deleted('k');
UPDATE k SET id = 1 WHERE id = 10;
SELECT * FROM fresh('k');
SELECT deleted('k');
BEGIN;
INSERT INTO k VALUES (12), (11), (10);
UPDATE k SET id = id + 1 WHERE id >= 10;
COMMIT;
SELECT * FROM fresh('k');
SELECT deleted('k');
UPDATE k SET id = id + 1 WHERE id >= 11;
SELECT * FROM fresh('k');
SELECT deleted('k');
DELETE FROM k WHERE id > 10;
BEGIN;
UPDATE k SET id = -1 WHERE id = 3;
UPDATE k SET id = 3 WHERE id = 4;
UPDATE k SET id = 4 WHERE id = -1;
COMMIT;
SELECT * FROM fresh('k');
SELECT deleted('k');

-- A row that came and went in one transaction leaves a tombstone; one that
-- went and came back does not.
BEGIN;
INSERT INTO k VALUES (20);
DELETE FROM k WHERE id = 20;
COMMIT;
SELECT deleted('k');
BEGIN;
DELETE FROM k WHERE id = 3;
INSERT INTO k VALUES (3, 'back');
COMMIT;
SELECT deleted('k');
BEGIN;
DELETE FROM k WHERE id = 3;
SAVEPOINT s;
INSERT INTO k VALUES (3, 'not back');
ROLLBACK TO s;
COMMIT;
SELECT deleted('k');
INSERT INTO k VALUES (3, 'later');
SELECT * FROM fresh('k');
DELETE FROM k;
SELECT deleted('k');

-- The journal says which transactions did nothing but delete: what they have
-- deleted has not come back in them.
CREATE FUNCTION only_deletes() RETURNS bool LANGUAGE sql AS $$
	SELECT only_deletes FROM (TABLE topgun.journal_0 UNION ALL TABLE topgun.journal_1
		UNION ALL TABLE topgun.journal_2 UNION ALL TABLE topgun.journal_3) AS head
	ORDER BY position USING OPERATOR(topgun.>) LIMIT 1
$$;
INSERT INTO k SELECT i, 'v' FROM generate_series(1, 10) i;
SELECT only_deletes();
DELETE FROM k WHERE id = 1;
SELECT only_deletes();
WITH gone AS (DELETE FROM k WHERE id = 2 RETURNING *) INSERT INTO k SELECT * FROM gone;
SELECT only_deletes();
UPDATE k SET id = 0 WHERE id = 2;
SELECT only_deletes();
BEGIN;
DELETE FROM k WHERE id = 3;
SAVEPOINT s;
INSERT INTO k VALUES (3, 'not back');
ROLLBACK TO s;
COMMIT;
SELECT only_deletes();
BEGIN;
DELETE FROM k WHERE id = 4;
SAVEPOINT s;
INSERT INTO k VALUES (4, 'back');
RELEASE s;
COMMIT;
SELECT only_deletes();
BEGIN;
DELETE FROM k WHERE id = 5;
TRUNCATE k;
COMMIT;
SELECT only_deletes();
INSERT INTO k SELECT i, 'v' FROM generate_series(1, 50000) i;
DELETE FROM k;
SELECT only_deletes();
BEGIN;
INSERT INTO k SELECT i, 'v' FROM generate_series(1, 50000) i;
DELETE FROM k;
COMMIT;
SELECT only_deletes(), deleted('k');

-- Keys of every kind, written, changed and deleted.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (x int, m mood);
CREATE DOMAIN short AS varchar(5) CHECK (value <> '');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FUNCTION try_key(type text, variadic literals text[])
	RETURNS TABLE (kind text, inserted bigint, fresh bigint, left_over bigint, tombstones bigint)
	LANGUAGE plpgsql AS $$
DECLARE
	before topgun.stamp;
BEGIN
	kind := type;
	EXECUTE format('CREATE TABLE keyed (id %s PRIMARY KEY, v int)', type);
	PERFORM topgun.add_table('keyed');
	EXECUTE format('INSERT INTO keyed SELECT x::%s, 1 FROM unnest(%L::text[]) x',
				   split_part(type, ' COLLATE', 1), literals);
	GET DIAGNOSTICS inserted = ROW_COUNT;
	before := topgun.current_stamp();
	UPDATE keyed SET v = 2;
	EXECUTE 'SELECT count(*) FROM keyed WHERE topgun_stamp OPERATOR(topgun.>) $1' INTO fresh USING before;
	DELETE FROM keyed WHERE ctid IN (SELECT ctid FROM keyed LIMIT 1);
	SELECT count(*) INTO left_over FROM keyed;
	RETURN NEXT;
END
$$;
CREATE PROCEDURE show_key(type text, variadic literals text[]) LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT * INTO r FROM try_key(type, variadic literals);
	COMMIT;
	r.tombstones := deleted('keyed');
	RAISE WARNING '%: % inserted, % updated, % left, % tombstones', r.kind, r.inserted, r.fresh, r.left_over, r.tombstones;
	PERFORM topgun.remove_table('keyed');
	DROP TABLE keyed;
END
$$;
CALL show_key('bool', 'true', 'false');
CALL show_key('int2', '-1', '2');
CALL show_key('int8', '-1', '9223372036854775807');
CALL show_key('numeric', '1.0', '1e100', 'NaN');
CALL show_key('float8', '1.5', '-Infinity');
CALL show_key('text', '', 'naïve', repeat('long', 600));
CALL show_key('text COLLATE nocase', 'a', 'B');
CALL show_key('citext', 'a', 'B');
CALL show_key('varchar(3)', 'a', 'abc');
CALL show_key('char(3)', 'a', 'abc');
CALL show_key('bpchar', 'a', 'abc');
CALL show_key('"char"', 'a', 'b');
CALL show_key('name', 'a', 'b');
CALL show_key('bytea', '\x', '\x00ff');
CALL show_key('uuid', '00000000-0000-0000-0000-000000000001', 'ffffffff-0000-0000-0000-000000000001');
CALL show_key('date', '2026-11-23', '-infinity');
CALL show_key('timestamp', '2026-11-23 08:00', 'infinity');
CALL show_key('timestamptz', '2026-11-23 08:00+1', '0001-01-01 BC');
CALL show_key('time', '08:00', '24:00');
CALL show_key('interval', '1 day', '24 hours 1 second');
CALL show_key('inet', '10.0.0.1', '::1');
CALL show_key('oid', '1', '4294967295');
CALL show_key('bit(3)', '101', '111');
CALL show_key('jsonb', '1', '{"a": [1, 2]}');
CALL show_key('int4range', '[1,2)', 'empty');
CALL show_key('int[]', '{}', '{1,2}');
CALL show_key('mood', 'sad', 'happy');
CALL show_key('mood[]', '{sad}', '{ok,NULL}');
CALL show_key('pair', '(1,sad)', '(,ok)');
CALL show_key('pair[]', '{"(1,sad)"}', '{"(,ok)"}');
CALL show_key('short', 'a', 'b');
CALL show_key('topgun.stamp', '2001-01-01 00:00:00.000Z/0@1', '2001-01-01 00:00:00.000Z/0@2');

-- Equal keys with different bytes are one key: changing one into the other
-- leaves no tombstone, deleting it leaves one.
CREATE TABLE n (id numeric PRIMARY KEY, v int);
SELECT topgun.add_table('n') > 0 AS added;
INSERT INTO n VALUES (1.0, 1);
UPDATE n SET id = 1.00;
SELECT * FROM fresh('n');
SELECT deleted('n');
BEGIN;
DELETE FROM n;
INSERT INTO n VALUES (1, 2);
COMMIT;
SELECT deleted('n');
DELETE FROM n;
INSERT INTO n VALUES (1.000, 3);
DELETE FROM n WHERE id = 1;
SELECT deleted('n');
CREATE TABLE n2 (a citext, b int, c text COLLATE nocase, PRIMARY KEY (b, c, a));
SELECT topgun.add_table('n2') > 0 AS added;
INSERT INTO n2 VALUES ('a', 1, 'x');
UPDATE n2 SET a = 'A';
UPDATE n2 SET c = 'X';
SELECT * FROM fresh('n2');
SELECT deleted('n2');
UPDATE n2 SET b = 2;
SELECT deleted('n2');

-- Key bytes do not depend on the session.
CREATE TABLE s (id text, at timestamptz, PRIMARY KEY (id, at));
SELECT topgun.add_table('s') > 0 AS added;
SET client_encoding = latin1;
INSERT INTO s VALUES (U&'na\00EFve', '2026-11-23 08:00+0');
DELETE FROM s;
SET client_encoding = utf8;
SET timezone = 'Asia/Tokyo';
SET datestyle = 'german';
INSERT INTO s VALUES (U&'na\00EFve', '23.11.2026 17:00+9');
DELETE FROM s;
RESET timezone;
RESET datestyle;
SELECT deleted('s');
SELECT key FROM topgun.tombstone JOIN topgun.table_state USING (table_id) WHERE relid = 's'::regclass;
CREATE TABLE s2 (id citext PRIMARY KEY);
SELECT topgun.add_table('s2') > 0 AS added;
SET client_encoding = latin1;
INSERT INTO s2 VALUES (U&'na\00EFve');
DELETE FROM s2;
RESET client_encoding;
SELECT key FROM topgun.tombstone JOIN topgun.table_state USING (table_id) WHERE relid = 's2'::regclass;

SELECT topgun.remove_table(x) FROM unnest('{k,n,n2,s,s2}'::regclass[]) x;
DROP TABLE k, n, n2, s, s2;
DROP PROCEDURE show_key;
DROP FUNCTION deleted, try_key;
DROP TYPE mood CASCADE;
DROP TYPE pair CASCADE;
DROP DOMAIN short;
DROP COLLATION nocase;
DROP EXTENSION citext;
