-- The type topgun.stamp.

-- Text form: what goes out comes in.
SELECT '2026-11-23 08:04:12.123Z/5@3'::topgun.stamp;
SELECT '2000-01-01 00:00:00.000Z/0@1'::topgun.stamp;
SELECT '2139-05-15 07:35:11.103Z/4095@1023'::topgun.stamp;

-- The session has no say in it.
SET datestyle = 'German, DMY';
SET timezone = 'Asia/Kathmandu';
SELECT '2026-11-23 08:04:12.123Z/5@3'::topgun.stamp;
SELECT topgun.stamp_time('2026-11-23 08:04:12.123Z/5@3');
RESET datestyle;
RESET timezone;

-- When and by whom.
SELECT topgun.stamp_time(s) AT TIME ZONE 'UTC' AS at, topgun.stamp_node(s)
  FROM (VALUES ('2026-11-23 08:04:12.123Z/5@3'::topgun.stamp), (NULL)) AS v(s);

-- Not a stamp.
SELECT ''::topgun.stamp; -- nothing
\set VERBOSITY sqlstate
SELECT '2026-11-23 08:04:12.123Z/5@0'::topgun.stamp; -- no node
SELECT '2026-11-23 08:04:12.123Z/5@1024'::topgun.stamp; -- no such node
SELECT '2026-02-30 08:04:12.123Z/5@3'::topgun.stamp; -- no such day
SELECT '2026-11-23 08:04:12.123Z/5@3 '::topgun.stamp; -- a blank too many
\set VERBOSITY default

-- No casts: not from numbers or times, not to them.
SELECT 5::bigint::topgun.stamp;
SELECT now()::topgun.stamp;
SELECT '2026-11-23 08:04:12.123Z/5@3'::topgun.stamp::bigint;
SELECT count(*) FROM pg_cast
 WHERE 'topgun.stamp'::regtype IN (castsource, casttarget);

-- Binary form.
\getenv abs_builddir PG_ABS_BUILDDIR
\set filename :abs_builddir '/results/stamp.bin'
SELECT topgun.stamp_send('2026-11-23 08:04:12.123Z/5@3');
CREATE TABLE binary_form (s topgun.stamp);
INSERT INTO binary_form VALUES ('2026-11-23 08:04:12.123Z/5@3'), (NULL), ('2139-05-15 07:35:11.103Z/4095@1023');
COPY binary_form TO :'filename' (FORMAT binary);
COPY binary_form FROM :'filename' (FORMAT binary);
SELECT s, count(*) FROM binary_form GROUP BY s ORDER BY s;
COPY (SELECT '\x0000000000000400'::bytea) TO :'filename' (FORMAT binary); -- no node
COPY binary_form FROM :'filename' (FORMAT binary);
\set VERBOSITY sqlstate
COPY binary_form FROM :'filename' (FORMAT binary);
COPY (SELECT '\x000000'::bytea) TO :'filename' (FORMAT binary); -- too short
COPY binary_form FROM :'filename' (FORMAT binary);
\set VERBOSITY default
DROP TABLE binary_form;

-- Order: time, counter, node; as unsigned, so 2069-09-06 is no turning point.
CREATE TABLE stamps (n int, s topgun.stamp);
INSERT INTO stamps VALUES
	(1, '2026-11-23 08:04:12.123Z/5@3'),
	(2, '2026-11-23 08:04:12.123Z/5@4'),
	(3, '2026-11-23 08:04:12.123Z/6@1'),
	(4, '2026-11-23 08:04:12.124Z/0@1'),
	(5, '2069-09-06 15:47:35.551Z/4095@1023'),
	(6, '2069-09-06 15:47:35.552Z/0@1'),
	(7, '2139-05-15 07:35:11.103Z/4095@1023'),
	(8, NULL);
SELECT n FROM stamps ORDER BY s;
SELECT n FROM stamps ORDER BY s DESC NULLS FIRST;
SET search_path = public, topgun;
SELECT a.n AS a, b.n AS b, a.s < b.s AS lt, a.s <= b.s AS le, a.s = b.s AS eq,
       a.s <> b.s AS ne, a.s >= b.s AS ge, a.s > b.s AS gt, stamp_cmp(a.s, b.s) AS cmp
  FROM stamps a, stamps b WHERE a.n IN (3, 6) AND b.n IN (3, 6, 8) ORDER BY a.n, b.n;
SELECT max(s), min(s) FROM stamps;
SELECT max(s), min(s) FROM stamps WHERE false;
RESET search_path;

-- Btree, hash, and the plans they allow.
INSERT INTO stamps SELECT n + 100 * i, s FROM stamps, generate_series(1, 500) AS i;
CREATE INDEX stamps_btree ON stamps USING btree (s);
CREATE INDEX stamps_hash ON stamps USING hash (s);
ANALYZE stamps;
SET enable_seqscan = off;
SET search_path = public, topgun;
EXPLAIN (COSTS OFF) SELECT s FROM stamps ORDER BY s DESC LIMIT 1;
SELECT max(s), min(s) FROM stamps;
SELECT count(*) FROM stamps WHERE s > '2026-11-23 08:04:12.124Z/0@1';
DROP INDEX stamps_btree;
EXPLAIN (COSTS OFF) SELECT count(*) FROM stamps WHERE s = '2026-11-23 08:04:12.123Z/6@1';
SELECT count(*) FROM stamps WHERE s = '2026-11-23 08:04:12.123Z/6@1';
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT count(*) FROM stamps a JOIN stamps b ON a.s = b.s WHERE b.n < 10;
SET enable_mergejoin = on;
SET enable_hashjoin = off;
SELECT count(*) FROM stamps a JOIN stamps b ON a.s = b.s WHERE b.n < 10;
RESET ALL;
SELECT count(DISTINCT s) FROM stamps;

-- Hash partitions need the hash of 64 bits.
CREATE TABLE by_stamp (s topgun.stamp) PARTITION BY HASH (s);
CREATE TABLE by_stamp_0 PARTITION OF by_stamp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_stamp_1 PARTITION OF by_stamp FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_stamp SELECT s FROM stamps WHERE n < 8;
SELECT count(*), topgun.min(s) FROM by_stamp;

-- The operator classes are whole.
SELECT amname, opcname, amvalidate(c.oid)
  FROM pg_opclass c JOIN pg_am m ON m.oid = opcmethod
 WHERE opcintype = 'topgun.stamp'::regtype ORDER BY amname;

DROP TABLE stamps, by_stamp;
