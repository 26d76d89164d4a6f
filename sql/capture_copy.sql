-- COPY works as it did before the table was added.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE t (id int PRIMARY KEY, gone int, a text, twice int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE t DROP COLUMN gone;
INSERT INTO t VALUES (1, 'one');
SELECT topgun.add_table('t') > 0 AS added;
SELECT * FROM fresh('t');

COPY t FROM STDIN;
2	two
3	three
\.
COPY t (a, id) FROM STDIN (FORMAT csv);
"four, with a comma",4
\.
COPY t TO STDOUT;
COPY t TO STDOUT (FORMAT csv, HEADER);
COPY t FROM STDIN (FORMAT csv, HEADER match);
id,a
5,five
\.
COPY t FROM STDIN WHERE id > 6;
6	six
7	seven
\.
SELECT * FROM fresh('t');

-- With the stamp in the list it is written, and then judged.
COPY (SELECT id FROM t WHERE topgun_stamp IS NULL) TO STDOUT;
COPY t (id, a, topgun_stamp) FROM STDIN;
10	ten	2001-01-01 00:00:00.000Z/0@1
\.
COPY t (id, a, topgun_stamp) FROM STDIN;
10	ten	\N
\.
COPY t (id, nothing) FROM '/dev/null';
COPY nowhere FROM '/dev/null';
SELECT * FROM fresh('t');

-- Inside a transaction, and with a failure.
BEGIN;
SAVEPOINT s;
COPY t FROM STDIN;
11	eleven
1	again
\.
ROLLBACK TO s;
COPY t FROM STDIN;
12	twelve
\.
COMMIT;
SELECT * FROM fresh('t');

-- Many rows: more than one batch of inserts, a journal of many parts.
CREATE TABLE numbers (id int PRIMARY KEY, a text);
SELECT topgun.add_table('numbers') > 0 AS added;
INSERT INTO numbers SELECT i, repeat('x', 10) FROM generate_series(1, 5000) i;
\getenv abs_builddir PG_ABS_BUILDDIR
\set filename :abs_builddir '/results/capture_copy.data'
COPY numbers TO :'filename';
TRUNCATE numbers;
COPY numbers FROM :'filename';
SELECT count(*), count(DISTINCT topgun_stamp), count(topgun_stamp) FROM numbers;

-- Partitions are tables, too; views with INSTEAD OF triggers are not.
CREATE TABLE p (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (a text, x int, id int PRIMARY KEY);
ALTER TABLE p2 DROP COLUMN x;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
SELECT topgun.add_table('p') > 0 AS added;
COPY p FROM STDIN;
1	one
11	eleven
\.
COPY p2 FROM STDIN;
twelve	12
\.
COPY p1 TO STDOUT;
COPY p2 TO STDOUT;
COPY p TO STDOUT;
SELECT * FROM fresh('p');
CREATE VIEW v AS SELECT id, a FROM t;
CREATE FUNCTION into_t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t (id, a) VALUES (new.id, new.a); RETURN new; END $$;
CREATE TRIGGER into_t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION into_t();
COPY v FROM STDIN;
20	twenty
\.
SELECT * FROM fresh('t');

-- Row security turns COPY TO into a query.
CREATE ROLE regress_reader;
GRANT SELECT ON t TO regress_reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON t FOR SELECT USING (id < 3);
SET ROLE regress_reader;
COPY t TO STDOUT;
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;

-- Removed, it is the table that it was.
DROP VIEW v;
SELECT topgun.remove_table(x) FROM unnest('{t,numbers,p}'::regclass[]) x;
COPY t TO STDOUT;
DROP TABLE t, numbers, p;
DROP FUNCTION into_t;
DROP ROLE regress_reader;
