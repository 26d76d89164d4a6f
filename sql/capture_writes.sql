-- Every way to write a row gives it a fresh stamp, and no other row.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE t (id int PRIMARY KEY, a int, b text DEFAULT 'b', c int GENERATED ALWAYS AS (a * 2) STORED);
CREATE TABLE other (id int PRIMARY KEY, a int);
INSERT INTO t (id, a) SELECT i, i FROM generate_series(1, 4) i;
INSERT INTO other SELECT i, i * 100 FROM generate_series(1, 4) i;
SELECT topgun.add_table('t') > 0 AS added;
SELECT * FROM fresh('t');

-- INSERT: values, defaults, a query, an explicit stamp.
INSERT INTO t VALUES (5, 5);
SELECT * FROM fresh('t');
INSERT INTO t (id, a, topgun_stamp) VALUES (6, 6, '2001-01-01 00:00:00.000Z/0@9'), (7, 7, DEFAULT), (8, 8, NULL);
INSERT INTO t (topgun_stamp, id) SELECT topgun_stamp, 9 FROM t WHERE id = 5;
INSERT INTO t (id) VALUES (10) RETURNING id, topgun_stamp IS NOT NULL AS stamped;
SELECT * FROM fresh('t');
DELETE FROM t WHERE id > 4;

-- INSERT .. SELECT * between replicated tables.
CREATE TABLE copy (LIKE t, PRIMARY KEY (id));
SELECT topgun.add_table('copy') > 0 AS added;
INSERT INTO copy SELECT * FROM t;
SELECT * FROM fresh('copy');
SELECT * FROM fresh('t');

-- UPDATE: plain, of all rows, several columns from a subquery, joined, with
-- an explicit stamp.
UPDATE t SET a = 11 WHERE id = 1;
SELECT * FROM fresh('t');
UPDATE t SET (a, b) = (SELECT o.a, 'multi' FROM other o WHERE o.id = t.id) WHERE id = 2;
SELECT * FROM fresh('t');
UPDATE t SET (a, topgun_stamp) = (SELECT o.a, NULL::topgun.stamp FROM other o WHERE o.id = t.id), b = 'x' WHERE id = 3;
SELECT * FROM fresh('t');
UPDATE t SET a = o.a FROM other o WHERE o.id = t.id AND t.id = 4;
SELECT * FROM fresh('t');
UPDATE t SET topgun_stamp = NULL WHERE id = 1;
UPDATE t SET topgun_stamp = DEFAULT WHERE id = 2;
UPDATE t SET topgun_stamp = topgun_stamp WHERE id = 3;
SELECT * FROM fresh('t');
UPDATE t SET a = a;
SELECT * FROM fresh('t');
UPDATE other SET a = t.a FROM t WHERE t.id = other.id;
SELECT * FROM fresh('t');

-- Upsert.
INSERT INTO t (id, a) VALUES (1, 0) ON CONFLICT DO NOTHING;
SELECT * FROM fresh('t');
INSERT INTO t (id, a) VALUES (1, 0), (5, 5) ON CONFLICT (id) DO UPDATE SET a = excluded.a;
SELECT * FROM fresh('t');
INSERT INTO t (id, a) VALUES (2, 0) ON CONFLICT (id) DO UPDATE SET (a, b) = (SELECT 21, 'upsert'), topgun_stamp = excluded.topgun_stamp;
INSERT INTO t (id, a) VALUES (3, 0) ON CONFLICT (id) DO UPDATE SET a = 31 WHERE t.a < 0;
SELECT * FROM fresh('t');

-- MERGE.
MERGE INTO t USING (VALUES (1, 'u'), (2, 'd'), (3, 'n'), (6, 'i')) AS s (id, what) ON t.id = s.id
WHEN MATCHED AND what = 'u' THEN UPDATE SET a = 41, topgun_stamp = NULL
WHEN MATCHED AND what = 'd' THEN DELETE
WHEN MATCHED THEN DO NOTHING
WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, 46);
SELECT * FROM fresh('t');

-- Writing queries in WITH.
WITH gone AS (DELETE FROM t WHERE id = 6 RETURNING *),
	changed AS (UPDATE t SET a = 51 WHERE id = 1 RETURNING *)
INSERT INTO t (id, a) SELECT id + 1, a FROM gone;
SELECT * FROM fresh('t');
WITH changed AS (UPDATE t SET a = 52 WHERE id = 3 RETURNING *) SELECT id, a FROM changed;
WITH added AS (INSERT INTO t (id, a) VALUES (8, 8) RETURNING id) UPDATE other SET a = 0 FROM added;
SELECT * FROM fresh('t');
-- The key is deleted and inserted in one statement.
WITH gone AS (DELETE FROM t WHERE id = 8 RETURNING *) SELECT id FROM gone;
SELECT * FROM fresh('t');

-- Prepared, before and after the table is replicated.
CREATE TABLE later (id int PRIMARY KEY, a int);
PREPARE ins (int) AS INSERT INTO later VALUES ($1, $1);
PREPARE upd (int) AS UPDATE later SET a = a + 1 WHERE id = $1;
EXECUTE ins (1);
EXECUTE upd (1);
SELECT topgun.add_table('later') > 0 AS added;
EXECUTE ins (2);
EXECUTE ins (3);
EXECUTE upd (3);
SELECT * FROM fresh('later');
SET plan_cache_mode = force_generic_plan;
EXECUTE upd (1);
EXECUTE upd (1);
EXECUTE upd (2);
SELECT * FROM fresh('later');
RESET plan_cache_mode;
SELECT topgun.remove_table('later');
EXECUTE upd (1);
EXECUTE ins (4);
SELECT * FROM later ORDER BY id;
DEALLOCATE ALL;

-- Views: updatable, with rules, with INSTEAD OF triggers.
CREATE VIEW simple AS SELECT id, a FROM t WHERE id < 100 WITH CHECK OPTION;
UPDATE simple SET a = 61 WHERE id = 1;
INSERT INTO simple VALUES (9, 9);
SELECT * FROM fresh('t');
CREATE VIEW ruled AS SELECT id, a FROM t;
CREATE RULE ins AS ON INSERT TO ruled DO INSTEAD INSERT INTO t (id, a) VALUES (new.id, new.a);
CREATE RULE upd AS ON UPDATE TO ruled DO INSTEAD UPDATE t SET a = new.a WHERE id = old.id;
INSERT INTO ruled VALUES (10, 10);
UPDATE ruled SET a = 69 WHERE id = 9;
SELECT * FROM fresh('t');
DELETE FROM t WHERE id >= 9;

-- Functions and procedures.
CREATE FUNCTION in_sql(k int) RETURNS void LANGUAGE sql AS 'UPDATE t SET a = 71 WHERE id = k';
CREATE FUNCTION in_body(k int) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE t SET a = 72 WHERE id = k; END;
CREATE FUNCTION in_plpgsql(k int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE t SET a = 73 WHERE id = k;
	EXECUTE format('UPDATE t SET b = %L WHERE id = %s', 'dynamic', k);
END
$$;
SELECT in_sql(1);
SELECT * FROM fresh('t');
SELECT in_body(3);
SELECT * FROM fresh('t');
SELECT in_plpgsql(4);
SELECT * FROM fresh('t');
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..3 LOOP
		UPDATE t SET a = 80 + i WHERE id = i;
		IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
	END LOOP;
END
$$;
CALL committing();
SELECT * FROM fresh('t');

-- Savepoints.
BEGIN;
UPDATE t SET a = 91 WHERE id = 1;
SAVEPOINT s;
UPDATE t SET a = 92 WHERE id = 1;
UPDATE t SET a = 93 WHERE id = 3;
INSERT INTO t (id) VALUES (90);
ROLLBACK TO s;
SAVEPOINT s2;
UPDATE t SET a = 94 WHERE id = 4;
RELEASE s2;
COMMIT;
SELECT * FROM fresh('t');
DO $$
BEGIN
	BEGIN
		UPDATE t SET a = 0;
		INSERT INTO t (id) VALUES (1);
	EXCEPTION WHEN unique_violation THEN
		UPDATE t SET a = 95 WHERE id = 5;
	END;
END
$$;
SELECT * FROM fresh('t');

-- Cursors.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t WHERE id IN (1, 3) ORDER BY id FOR UPDATE;
MOVE 1 FROM c;
UPDATE t SET a = 101 WHERE CURRENT OF c;
MOVE 1 FROM c;
DELETE FROM t WHERE CURRENT OF c;
COMMIT;
SELECT * FROM fresh('t');

-- The user's own triggers.
CREATE FUNCTION change_b() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.b := new.b || '+'; RETURN new; END $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE t SET a = -1 WHERE id = new.id AND a > 0;
	RETURN NULL;
END
$$;
CREATE TRIGGER change_b BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION change_b();
CREATE TRIGGER a_touch AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
UPDATE t SET a = 111 WHERE id = 1;
INSERT INTO t VALUES (11, 11);
SELECT * FROM fresh('t');
DROP TRIGGER a_touch ON t;
CREATE TRIGGER z_touch AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
UPDATE t SET a = 112 WHERE id = 1;
SELECT * FROM fresh('t');
DROP TRIGGER z_touch ON t;
DROP TRIGGER change_b ON t;
CREATE FUNCTION keep_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN old; END $$;
CREATE TRIGGER keep_old BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep_old();
UPDATE t SET a = 113 WHERE id = 1;
DROP TRIGGER keep_old ON t;
SELECT * FROM fresh('t');

-- Foreign keys: cascades, SET NULL, deferred checks, a table that refers to
-- itself.
CREATE TABLE boss (id int PRIMARY KEY);
CREATE TABLE staff (
	id int PRIMARY KEY,
	cascading int REFERENCES boss ON UPDATE CASCADE ON DELETE CASCADE,
	nulling int REFERENCES boss ON UPDATE SET DEFAULT ON DELETE SET NULL,
	late int REFERENCES boss DEFERRABLE INITIALLY DEFERRED,
	self int REFERENCES staff ON UPDATE CASCADE);
SELECT topgun.add_table('boss') > 0 AS added;
SELECT topgun.add_table('staff') > 0 AS added;
INSERT INTO boss VALUES (1), (2), (3), (4);
INSERT INTO staff (id, cascading) VALUES (1, 1), (2, 2);
INSERT INTO staff (id, nulling) VALUES (3, 3), (4, 4);
SELECT * FROM fresh('staff');
UPDATE boss SET id = 10 WHERE id = 1;
SELECT * FROM fresh('staff');
DELETE FROM boss WHERE id = 2;
DELETE FROM boss WHERE id = 3;
SELECT * FROM fresh('staff');
SELECT * FROM fresh('boss');
BEGIN;
INSERT INTO staff (id, late) VALUES (5, 50);
INSERT INTO boss VALUES (50);
COMMIT;
SELECT * FROM fresh('staff');
BEGIN;
INSERT INTO staff (id, late) VALUES (6, 60);
COMMIT;
INSERT INTO staff (id, self) VALUES (7, 7);
UPDATE staff SET id = 8 WHERE id = 7;
SELECT * FROM fresh('staff');

-- Explicit stamps get nowhere past the planner.
SELECT count(*) FROM t WHERE topgun.stamp_node(topgun_stamp) <> 1;

-- PREPARE TRANSACTION.
BEGIN;
UPDATE t SET a = 121 WHERE id = 1;
PREPARE TRANSACTION 'no';
SELECT * FROM fresh('t');
BEGIN;
UPDATE other SET a = 121 WHERE id = 1;
PREPARE TRANSACTION 'yes';
ROLLBACK PREPARED 'yes';

-- EXPLAIN shows what was added, and writes nothing.
EXPLAIN (COSTS OFF, VERBOSE) UPDATE t SET a = 131 WHERE id = 1;
SELECT * FROM fresh('t');

-- A table that is not replicated is left alone.
EXPLAIN (COSTS OFF, VERBOSE) UPDATE other SET a = 1 WHERE id = 1;

SELECT topgun.remove_table(x) FROM unnest('{t,copy,staff,boss}'::regclass[]) x;
DROP VIEW simple, ruled;
DROP FUNCTION in_sql, in_body, in_plpgsql;
DROP TABLE staff, boss, t, copy, later, other;
DROP FUNCTION change_b, touch, keep_old;
DROP PROCEDURE committing;
