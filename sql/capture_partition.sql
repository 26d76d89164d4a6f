-- A partitioned table is replicated as one, with the partitions it gets later.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE p (id int, region text, v int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE p_north PARTITION OF p FOR VALUES IN ('north');
CREATE TABLE p_south (v int, dropped int, region text NOT NULL, id int NOT NULL, PRIMARY KEY (region, id));
ALTER TABLE p_south DROP COLUMN dropped;
ALTER TABLE p ATTACH PARTITION p_south FOR VALUES IN ('south');
CREATE TABLE p_deep PARTITION OF p FOR VALUES IN ('east', 'west') PARTITION BY RANGE (id);
CREATE TABLE p_deep_low PARTITION OF p_deep FOR VALUES FROM (0) TO (100);
INSERT INTO p VALUES (1, 'north', 1), (2, 'south', 2), (3, 'east', 3);

SELECT topgun.add_table('p') > 0 AS added;
CREATE VIEW triggers AS
	SELECT tgrelid::regclass AS tab, tgname, tgenabled, tgtype & 1 = 1 AS each_row
	FROM pg_trigger WHERE tgname LIKE 'topgun%' AND tgrelid::regclass::text LIKE 'p%'
	ORDER BY tgrelid::regclass::text, tgname;
TABLE triggers;
SELECT * FROM fresh('p');

-- Through the root, and in a partition.
UPDATE p SET v = 11 WHERE id = 1;
UPDATE p_south SET v = 12;
INSERT INTO p VALUES (4, 'west', 4);
INSERT INTO p_south (region, id, v) VALUES ('south', 5, 5);
SELECT * FROM fresh('p');
UPDATE p SET v = v + 1;
SELECT * FROM fresh('p');
DELETE FROM p_deep WHERE id = 4;

-- Rows that move.
UPDATE p SET region = 'south' WHERE id = 1;
SELECT tableoid::regclass, id, v FROM p ORDER BY id;
SELECT * FROM fresh('p');
UPDATE p SET region = 'north', id = 7 WHERE id = 2;
SELECT * FROM fresh('p');
INSERT INTO p VALUES (7, 'north', 0) ON CONFLICT (region, id) DO UPDATE SET v = excluded.v;
MERGE INTO p USING (VALUES (7, 'north'), (8, 'east')) AS s (id, region) ON p.id = s.id AND p.region = s.region
WHEN MATCHED THEN UPDATE SET region = 'west'
WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.region, 8);
SELECT * FROM fresh('p');

-- New partitions: created, attached, with rows, with partitions of their own.
CREATE TABLE p_up PARTITION OF p FOR VALUES IN ('up');
CREATE TABLE p_down (LIKE p_up INCLUDING ALL);
ALTER TABLE p ATTACH PARTITION p_down FOR VALUES IN ('down');
CREATE TABLE p_left (id int NOT NULL, region text NOT NULL, v int, PRIMARY KEY (region, id));
INSERT INTO p_left VALUES (20, 'left', 20);
ALTER TABLE p ATTACH PARTITION p_left FOR VALUES IN ('left');
CREATE TABLE p_deep_high PARTITION OF p_deep FOR VALUES FROM (100) TO (200);
TABLE triggers;
INSERT INTO p VALUES (21, 'up', 1), (22, 'down', 1), (23, 'left', 1), (123, 'east', 1);
UPDATE p_left SET v = 24 WHERE id = 23;
SELECT * FROM fresh('p');

-- A partition that leaves is an ordinary table.
ALTER TABLE p DETACH PARTITION p_up;
UPDATE p_up SET v = 2;
TRUNCATE p_up;
TABLE triggers;

-- TRUNCATE of a partition deletes its rows, one by one.
SELECT count(*) AS before FROM topgun.tombstone \gset
TRUNCATE p_south;
SELECT count(*) - :before AS deleted FROM topgun.tombstone;
SELECT count(*) AS before FROM topgun.tombstone \gset
TRUNCATE p_deep;
SELECT count(*) - :before AS deleted FROM topgun.tombstone;
SELECT count(*) FROM topgun.truncation JOIN topgun.table_state USING (table_id) WHERE relid = 'p'::regclass;

-- TRUNCATE of the whole is one stamp.
SELECT count(*) AS before FROM topgun.tombstone \gset
TRUNCATE p;
SELECT count(*) - :before AS deleted FROM topgun.tombstone;
SELECT count(*) FROM topgun.truncation JOIN topgun.table_state USING (table_id) WHERE relid = 'p'::regclass;
BEGIN;
INSERT INTO p VALUES (1, 'north', 1);
TRUNCATE p;
INSERT INTO p VALUES (2, 'north', 1);
TRUNCATE p_north;
INSERT INTO p VALUES (3, 'north', 1);
COMMIT;
SELECT count(*) - :before AS deleted FROM topgun.tombstone;
SELECT count(*) AS before FROM topgun.tombstone \gset
BEGIN;
SAVEPOINT s;
TRUNCATE p;
ROLLBACK TO s;
TRUNCATE p_north;
COMMIT;
SELECT count(*) - :before AS deleted FROM topgun.tombstone;

SELECT topgun.remove_table('p');
TABLE triggers;
SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'topgun_stamp' AND attrelid::regclass::text LIKE 'p%';
DROP TABLE p, p_up;
DROP VIEW triggers;
