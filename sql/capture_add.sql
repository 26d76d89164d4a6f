-- add_table and remove_table: what they do, and what they refuse.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE TABLE shop."Odd name" ("The Key" int PRIMARY KEY, v text);
INSERT INTO shop."Odd name" SELECT i, 'before' FROM generate_series(1, 3) i;
\d shop."Odd name"

SELECT topgun.add_table('shop."Odd name"') > 0 AS added;
\d shop."Odd name"
SELECT schema_name, table_name, options FROM topgun.replicated_table;
SELECT relid::regclass, state, reason FROM topgun.table_state WHERE table_id >= 16;
SELECT id >> 20 AS node, id & 1048575 >= 16 AS counted FROM topgun.replicated_table;

-- Rows that were there have no stamp; what is written now has one.
SELECT * FROM fresh('shop."Odd name"');
UPDATE shop."Odd name" SET v = 'now' WHERE "The Key" = 2;
INSERT INTO shop."Odd name" VALUES (4, 'new');
SELECT * FROM fresh('shop."Odd name"');

SELECT topgun.add_table('shop."Odd name"');
SELECT topgun.remove_table('shop."Odd name"');
\d shop."Odd name"
SELECT count(*) FROM topgun.replicated_table;
SELECT count(*) FROM topgun.table_state WHERE table_id >= 16;
TABLE shop."Odd name";
SELECT topgun.remove_table('shop."Odd name"');

-- Added again, it is another table to the cluster.
SELECT topgun.add_table('shop."Odd name"', '{"stamping": "trigger"}') > 0 AS added;
\d shop."Odd name"
SELECT options FROM topgun.replicated_table;
UPDATE shop."Odd name" SET v = 'by trigger' WHERE "The Key" = 1;
INSERT INTO shop."Odd name" VALUES (5, 'by trigger');
SELECT * FROM fresh('shop."Odd name"');
SELECT topgun.remove_table('shop."Odd name"');
\d shop."Odd name"

-- Nothing stays of a call that is rolled back.
BEGIN;
SELECT topgun.add_table('shop."Odd name"', '{"stamping": "planner"}') > 0 AS added;
UPDATE shop."Odd name" SET v = 'gone';
ROLLBACK;
\d shop."Odd name"
SELECT count(*) FROM topgun.replicated_table;

-- Created, filled and added at once.
BEGIN;
CREATE TABLE shop.together (id int PRIMARY KEY);
INSERT INTO shop.together VALUES (1);
SELECT topgun.add_table('shop.together') > 0 AS added;
INSERT INTO shop.together VALUES (2);
COMMIT;
SELECT * FROM fresh('shop.together');
BEGIN;
DELETE FROM shop.together WHERE id = 1;
SELECT topgun.remove_table('shop.together');
COMMIT;
TABLE shop.together;

-- A column of stamps that is there is kept: the table was restored.
CREATE TABLE shop.restored (id int PRIMARY KEY, topgun_stamp topgun.stamp);
INSERT INTO shop.restored VALUES (1, '2001-02-03 04:05:06.789Z/1@7');
SELECT topgun.add_table('shop.restored') > 0 AS added;
TABLE shop.restored;
SELECT topgun.remove_table('shop.restored');

-- Bad arguments.
\set SHOW_CONTEXT never
SELECT topgun.add_table(NULL);
SELECT topgun.add_table('shop."Odd name"', NULL);
SELECT topgun.add_table(0);
SELECT topgun.add_table(4294967295);
SELECT topgun.add_table('shop.nowhere');
SELECT topgun.add_table('shop."Odd name"', '[]');
SELECT topgun.add_table('shop."Odd name"', '"stamping"');
SELECT topgun.add_table('shop."Odd name"', 'null');
SELECT topgun.add_table('shop."Odd name"', '{"stampin": "trigger"}');
SELECT topgun.add_table('shop."Odd name"', '{"stamping": true}');
SELECT topgun.add_table('shop."Odd name"', '{"stamping": {"a": "trigger"}}');
SELECT topgun.add_table('shop."Odd name"', '{"stamping": "both"}');
SELECT topgun.remove_table(NULL);
SELECT topgun.remove_table(0);
SELECT topgun.remove_table('shop.nowhere');
SELECT topgun.remove_table('topgun.node');
SELECT topgun.remove_table('topgun.replicated_table');

-- Tables that cannot be replicated.
CREATE TABLE shop.no_key (id int);
SELECT topgun.add_table('shop.no_key');
CREATE TABLE shop.unique_only (id int NOT NULL UNIQUE);
SELECT topgun.add_table('shop.unique_only');
CREATE TABLE shop.late_key (id int PRIMARY KEY DEFERRABLE);
SELECT topgun.add_table('shop.late_key');
CREATE TEMP TABLE passing (id int PRIMARY KEY);
SELECT topgun.add_table('passing');
CREATE UNLOGGED TABLE shop.unlogged (id int PRIMARY KEY);
SELECT topgun.add_table('shop.unlogged');
CREATE VIEW shop.view AS SELECT 1 AS id;
SELECT topgun.add_table('shop.view');
CREATE MATERIALIZED VIEW shop.materialized AS SELECT 1 AS id;
SELECT topgun.add_table('shop.materialized');
CREATE SEQUENCE shop.sequence;
SELECT topgun.add_table('shop.sequence');
CREATE TYPE shop.composite AS (a int);
SELECT topgun.add_table('shop.composite');
SELECT topgun.add_table('shop.no_key'::regclass::oid::int8);
SELECT topgun.add_table('"Odd name_pkey"');
SELECT topgun.add_table('shop."Odd name_pkey"');
SELECT topgun.add_table('pg_catalog.pg_class');
SELECT topgun.add_table('topgun.peer_cursor');
SELECT topgun.add_table('topgun.node');
CREATE TABLE shop.parent (id int PRIMARY KEY);
CREATE TABLE shop.child (PRIMARY KEY (id)) INHERITS (shop.parent);
SELECT topgun.add_table('shop.parent');
SELECT topgun.add_table('shop.child');
CREATE TABLE shop.parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE shop.part PARTITION OF shop.parts FOR VALUES FROM (0) TO (10);
SELECT topgun.add_table('shop.part');
CREATE UNLOGGED TABLE shop.part_unlogged PARTITION OF shop.parts FOR VALUES FROM (10) TO (20);
SELECT topgun.add_table('shop.parts');
CREATE TABLE shop.taken (id int PRIMARY KEY, topgun_stamp text);
SELECT topgun.add_table('shop.taken');
CREATE TABLE shop.unsendable (id int PRIMARY KEY, a aclitem);
SELECT topgun.add_table('shop.unsendable');
SELECT count(*) FROM topgun.replicated_table;

-- Only who may call it, and owns the table.
CREATE ROLE regress_shopper;
CREATE TABLE shop.not_his (id int PRIMARY KEY);
CREATE TABLE shop.his (id int PRIMARY KEY, v int);
ALTER TABLE shop.his OWNER TO regress_shopper;
GRANT ALL ON SCHEMA shop TO regress_shopper;
SET ROLE regress_shopper;
SELECT topgun.add_table('shop.his');
SELECT topgun.remove_table('shop.his');
RESET ROLE;
GRANT EXECUTE ON FUNCTION topgun.add_table, topgun.remove_table TO regress_shopper;
SET ROLE regress_shopper;
SELECT topgun.add_table('shop.not_his');
SELECT topgun.add_table('shop.his') > 0 AS added;
INSERT INTO shop.his VALUES (1, 1);
UPDATE shop.his SET v = 2;
CREATE TRIGGER mine AFTER INSERT ON shop.his FOR EACH ROW EXECUTE FUNCTION topgun_internal.capture('1');
SELECT topgun.remove_table('shop.his');
TABLE shop.his;
RESET ROLE;

-- Who writes rows needs no right beyond those he had.
SELECT topgun.add_table('shop.his') > 0 AS added;
REVOKE ALL ON shop.his FROM regress_shopper;
ALTER TABLE shop.his OWNER TO CURRENT_USER;
GRANT INSERT (id, v), UPDATE (v), SELECT (id, v), DELETE ON shop.his TO regress_shopper;
SET ROLE regress_shopper;
INSERT INTO shop.his (id, v) VALUES (2, 2);
UPDATE shop.his SET v = 3 WHERE id = 2;
DELETE FROM shop.his WHERE id = 1;
RESET ROLE;
SELECT * FROM fresh('shop.his');
SELECT topgun.remove_table('shop.his');

DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_shopper;
DROP ROLE regress_shopper;
