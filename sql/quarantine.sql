-- A row that cannot be applied waits, is tried again, and stops nothing.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE VIEW waiting AS
	SELECT relid::regclass AS tab, encode(key, 'hex') AS key, deleted, row_data::jsonb - 'topgun_stamp' AS row_data,
		error, sqlstate, peer_id
	FROM topgun.quarantine JOIN topgun.table_state USING (table_id)
	ORDER BY relid::regclass::text, key;

-- Have the janitor try all that waits.
CREATE PROCEDURE retry() LANGUAGE plpgsql AS $$
BEGIN
	UPDATE topgun.quarantine SET last_try = '-infinity';
	COMMIT;
	PERFORM pg_reload_conf();	-- wakes it
	FOR i IN 1..600 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM topgun.quarantine WHERE last_try = '-infinity');
		PERFORM pg_sleep(0.1);
	END LOOP;
END
$$;

-- A stamp that node 2 has given, long ago.
CREATE FUNCTION peer_stamp(n int) RETURNS topgun.stamp LANGUAGE sql IMMUTABLE AS
	$$SELECT format('2020-01-01 00:00:00.000Z/%s@2', n)::topgun.stamp$$;

CREATE FUNCTION id_of(rel regclass) RETURNS int LANGUAGE sql STABLE AS
	'SELECT table_id FROM topgun.table_state WHERE relid = rel';

-- A constraint that only we have.
CREATE TABLE t (id int PRIMARY KEY, v int);
SELECT topgun.add_table('t') > 0 AS added;
ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0);
SELECT topgun_internal.merge_row(ROW(1, 10, peer_stamp(1))::t);
SELECT topgun_internal.merge_row(ROW(2, -1, peer_stamp(5))::t);
SELECT * FROM waiting;
SELECT id, v FROM t ORDER BY id;

-- The same again, an older one, a newer one as bad, a newer one that is good.
SELECT topgun_internal.merge_row(ROW(2, -1, peer_stamp(5))::t);
SELECT topgun_internal.merge_row(ROW(2, 4, peer_stamp(4))::t);
SELECT topgun_internal.merge_row(ROW(2, -3, peer_stamp(3))::t);
SELECT topgun_internal.merge_row(ROW(2, -6, peer_stamp(6))::t);
SELECT key, row_data FROM waiting;
SELECT topgun_internal.merge_row(ROW(2, 7, peer_stamp(7))::t);
SELECT * FROM waiting;
SELECT id, v FROM t ORDER BY id;

-- A merge in a transaction that was prepared, with nothing written, counts then.
SELECT merges AS merges_before FROM topgun.stat_merge WHERE source = 'pull' \gset
BEGIN;
SELECT topgun_internal.merge_row(ROW(2, 4, peer_stamp(4))::t);
PREPARE TRANSACTION 'merged';
BEGIN;
ROLLBACK;
SELECT merges - :merges_before AS merges FROM topgun.stat_merge WHERE source = 'pull';
ROLLBACK PREPARED 'merged';

-- Retried, and in when the constraint is gone.
SELECT topgun_internal.merge_row(ROW(3, -1, peer_stamp(8))::t);
SELECT topgun_internal.merge_row(ROW(1, -1, peer_stamp(8))::t);
CALL retry();
SELECT key, row_data, sqlstate FROM waiting;
SELECT min(tries) > 1 AS tried, max(last_try) > min(since) AS later FROM topgun.quarantine;
ALTER TABLE t DROP CONSTRAINT positive;
CALL retry();
SELECT * FROM waiting;
SELECT id, v, topgun_stamp OPERATOR(topgun.=) peer_stamp(8) AS as_sent FROM t ORDER BY id;

-- Whatever a trigger raises blames the row; a deletion waits as well.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN RAISE EXCEPTION 'no % here', lower(TG_OP) USING ERRCODE = 'U0001'; END$$;
CREATE TRIGGER refuse AFTER INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE t ENABLE ALWAYS TRIGGER refuse;
SELECT topgun_internal.merge_row(ROW(4, 4, peer_stamp(9))::t);
SELECT topgun_internal.merge_row(ROW(1, NULL, peer_stamp(9))::t, true);
SELECT topgun_internal.merge_row(ROW(2, 9, peer_stamp(9))::t);
SELECT * FROM waiting;
SELECT id, v FROM t ORDER BY id;

-- The table is changed meanwhile: a row waits for one of the new shape, a
-- deletion need not.
ALTER TABLE t ADD COLUMN a int;
CALL retry();
SELECT key, deleted, row_data, sqlstate FROM waiting;
ALTER TABLE t DISABLE TRIGGER refuse;
CALL retry();
SELECT key, deleted, row_data, error FROM waiting;
SELECT id, v, a FROM t ORDER BY id;
ALTER TABLE t ENABLE ALWAYS TRIGGER refuse;
SELECT topgun_internal.merge_row(ROW(4, 4, peer_stamp(9), 40)::t);
SELECT key, row_data, sqlstate FROM waiting;
DROP TRIGGER refuse ON t;
CALL retry();
SELECT * FROM waiting;
SELECT id, v, a FROM t ORDER BY id;

-- The columns are changed and changed back.
ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
SELECT topgun_internal.merge_row(ROW(5, -5, peer_stamp(10), 50)::t);
ALTER TABLE t DROP COLUMN a, DROP CONSTRAINT positive;
CALL retry();
SELECT sqlstate FROM waiting;
ALTER TABLE t ADD COLUMN a int;
CALL retry();
SELECT * FROM waiting;
SELECT id, v, a FROM t WHERE id = 5;

-- A value that its type does not take any more: the key is known all the same.
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE e (m mood, id int PRIMARY KEY CHECK (id < 10));
SELECT topgun.add_table('e') > 0 AS added;
SELECT topgun_internal.merge_row(ROW('wild', 11, peer_stamp(1))::e);
ALTER TABLE e DROP CONSTRAINT e_id_check;
ALTER TYPE mood RENAME VALUE 'wild' TO 'mild';
CALL retry();
SELECT * FROM waiting;
SELECT topgun_internal.merge_row(ROW('calm', 11, peer_stamp(0))::e);
ALTER TYPE mood RENAME VALUE 'mild' TO 'wild';
CALL retry();
SELECT * FROM waiting;
SELECT m, id FROM e;

-- Rows that cannot even be read, by key and by value.
CREATE TABLE known_words (word text PRIMARY KEY);
CREATE FUNCTION is_known(word text) RETURNS bool LANGUAGE sql AS
	'SELECT EXISTS (SELECT FROM public.known_words w WHERE w.word = is_known.word)';
CREATE DOMAIN known_word AS text CHECK (public.is_known(VALUE));
CREATE TABLE w (id int PRIMARY KEY, v known_word);
CREATE TABLE k (v int, id known_word PRIMARY KEY);
SELECT topgun.add_table(x) > 0 AS added FROM unnest('{w,k}'::regclass[]) x;
CREATE PROCEDURE merge_unknown(word text, n int) LANGUAGE plpgsql AS $$
DECLARE
	a w;
	b k;
BEGIN
	INSERT INTO known_words VALUES (word);
	a := ROW(1, word, peer_stamp(n));
	b := ROW(n, word, peer_stamp(n));
	DELETE FROM known_words;
	RAISE WARNING '%, %', topgun_internal.merge_row(a), topgun_internal.merge_row(b);
END
$$;
CALL merge_unknown('boo', 3);
SELECT * FROM waiting;
CALL merge_unknown('boo', 2);
CALL merge_unknown('boo', 3);
CALL merge_unknown('boo', 4);
SELECT tab, key, count(*) FROM waiting GROUP BY 1, 2 ORDER BY 1, 2;
CALL retry();
SELECT tab, sqlstate FROM waiting;
INSERT INTO known_words VALUES ('boo');
CALL retry();
SELECT * FROM waiting;
SELECT id, v, topgun_stamp OPERATOR(topgun.=) peer_stamp(4) AS newest FROM w;
SELECT id, v, topgun_stamp OPERATOR(topgun.=) peer_stamp(4) AS newest FROM k;

-- Rows that exchange unique values, and come one by one.
CREATE TABLE u (id int PRIMARY KEY, v int UNIQUE);
SELECT topgun.add_table('u') > 0 AS added;
SELECT topgun_internal.merge_row(ROW(n, n, peer_stamp(1))::u) FROM generate_series(1, 3) n;
SELECT topgun_internal.merge_row(ROW(1, 2, peer_stamp(2))::u);
SELECT topgun_internal.merge_row(ROW(2, 3, peer_stamp(2))::u);
SELECT key, row_data, error FROM waiting;
SELECT topgun_internal.merge_row(ROW(3, 1, peer_stamp(2))::u);
CALL retry();
SELECT * FROM waiting;
SELECT id, v FROM u ORDER BY id;
SELECT count(*) FROM topgun.tombstone WHERE table_id = id_of('u');

-- One that nobody makes room for stays, and the others do not wait for it.
SELECT topgun_internal.merge_row(ROW(4, 1, peer_stamp(3))::u);
SELECT topgun_internal.merge_row(ROW(5, 5, peer_stamp(3))::u);
CALL retry();
SELECT key, error FROM waiting;
SELECT topgun_internal.merge_row(ROW(4, NULL, peer_stamp(4))::u, true);
SELECT * FROM waiting;

-- TRUNCATE runs as the owner of the table, with his triggers.
CREATE ROLE regress_tg_owner;
CREATE TABLE seen (who name, path text);
GRANT INSERT ON seen TO regress_tg_owner;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen VALUES (current_user, current_setting('search_path'));
	BEGIN
		SET ROLE NONE;
	EXCEPTION WHEN insufficient_privilege THEN
		INSERT INTO public.seen VALUES (current_user, sqlerrm);
	END;
	RETURN NULL;
END
$$;
CREATE TABLE o (id int PRIMARY KEY);
ALTER TABLE o OWNER TO regress_tg_owner;
SELECT topgun.add_table('o') > 0 AS added;
CREATE TRIGGER look AFTER TRUNCATE ON o FOR EACH STATEMENT EXECUTE FUNCTION look();
ALTER TABLE o ENABLE ALWAYS TRIGGER look;
SELECT topgun_internal.merge_row(ROW(1, peer_stamp(1))::o);
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(2)), current_user = session_user AS as_before;
SELECT * FROM seen;
SELECT count(*) FROM o;

-- If he may not, row by row.
REVOKE TRUNCATE ON o FROM regress_tg_owner;
SELECT topgun_internal.merge_row(ROW(2, peer_stamp(3))::o);
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(4));
SELECT count(*) FROM o;
SELECT count(*) FROM seen;
GRANT TRUNCATE ON o TO regress_tg_owner;

-- A TRUNCATE that a trigger refuses waits, too.
SELECT topgun_internal.merge_row(ROW(3, peer_stamp(5))::o);
CREATE TRIGGER refuse AFTER TRUNCATE ON o FOR EACH STATEMENT EXECUTE FUNCTION refuse();
ALTER TABLE o ENABLE ALWAYS TRIGGER refuse;
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(6));
SELECT * FROM waiting;
SELECT id FROM o;
DROP TRIGGER refuse ON o;
CALL retry();
SELECT * FROM waiting;
SELECT id FROM o;

-- What waits and is older than a TRUNCATE goes.
ALTER TABLE o ADD CHECK (id < 10);
SELECT topgun_internal.merge_row(ROW(11, peer_stamp(7))::o);
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(8));
CALL retry();
SELECT * FROM waiting;
SELECT id FROM o;

-- By hand: one key, one table, all; what fails stays, and was tried once more.
ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;
ALTER TABLE u ADD CONSTRAINT small CHECK (v < 100);
SELECT topgun_internal.merge_row(ROW(n, -n, peer_stamp(20), 1)::t) FROM generate_series(20, 22) n;
SELECT topgun_internal.merge_row(ROW(20, 200, peer_stamp(20))::u);
SELECT topgun.retry_quarantine();
SELECT bool_and(tries > 1) AS tried FROM topgun.quarantine;
ALTER TABLE t DROP CONSTRAINT positive;
SELECT topgun.retry_quarantine('t', '\x0000000400000014');
SELECT topgun.retry_quarantine('t', '\x0000000400000014');
SELECT tab, key FROM waiting;
SELECT topgun.retry_quarantine('u');
SELECT topgun.retry_quarantine('t');
SELECT tab, key FROM waiting;
SELECT id, v, topgun_stamp OPERATOR(topgun.=) peer_stamp(20) AS as_sent FROM t WHERE id >= 20 ORDER BY id;

-- Given up: what is here is newer from now on, a row as well as none.
SELECT topgun_internal.merge_row(ROW(1, 300, peer_stamp(21))::u);
SELECT topgun_internal.merge_row(ROW(21, 400, peer_stamp(21))::u);
SELECT tab, key, row_data FROM waiting;
SELECT topgun.discard_quarantine('u', '\x0000000400000001');
SELECT key FROM waiting;
SELECT topgun.discard_quarantine('u');
SELECT topgun.discard_quarantine('u');
SELECT * FROM waiting;
SELECT id, v, topgun_stamp OPERATOR(topgun.>) peer_stamp(21) AS is_newer FROM u WHERE id = 1 OR id >= 20 ORDER BY id;
SELECT key, stamp OPERATOR(topgun.>) peer_stamp(21) AS is_newer FROM topgun.tombstone WHERE table_id = id_of('u') AND key IN ('\x0000000400000014', '\x0000000400000015');
ALTER TABLE u DROP CONSTRAINT small;
SELECT topgun_internal.merge_row(ROW(1, 300, peer_stamp(21))::u);
SELECT topgun_internal.merge_row(ROW(21, 400, peer_stamp(21))::u);
SELECT id, v FROM u WHERE id = 1 OR id >= 20;

-- A TRUNCATE, a key that no partition takes, and one that cannot be read.
CREATE TRIGGER refuse AFTER TRUNCATE ON o FOR EACH STATEMENT EXECUTE FUNCTION refuse();
ALTER TABLE o ENABLE ALWAYS TRIGGER refuse;
SELECT topgun_internal.merge_row(ROW(5, peer_stamp(30))::o);
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(31));
SELECT tab, key FROM waiting;
SELECT topgun.discard_quarantine('o');
SELECT id, topgun_stamp OPERATOR(topgun.>) peer_stamp(31) AS is_newer FROM o;
DROP TRIGGER refuse ON o;
SELECT topgun_internal.merge_truncate(id_of('o'), peer_stamp(31));
SELECT id FROM o;
CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10);
SELECT topgun.add_table('p') > 0 AS added;
SELECT topgun_internal.merge_row(ROW(11, peer_stamp(1))::p);
SELECT topgun_internal.merge_row(ROW(1, peer_stamp(1))::p);
ALTER TABLE p ADD CHECK (id > 0);
SELECT tab, sqlstate FROM waiting;
SELECT topgun.discard_quarantine('p1');
SELECT key FROM topgun.tombstone WHERE table_id = id_of('p');
CALL merge_unknown('huh', 9);
SELECT tab, sqlstate FROM waiting;
SELECT topgun.discard_quarantine('k');
SELECT topgun.discard_quarantine('w');
SELECT * FROM waiting;

CREATE TABLE m (id mood PRIMARY KEY, v int CHECK (v > 0));
SELECT topgun.add_table('m') > 0 AS added;
SELECT topgun_internal.merge_row(ROW('wild', -1, peer_stamp(1))::m);
ALTER TYPE mood RENAME VALUE 'wild' TO 'mild';
SELECT topgun.discard_quarantine('m');
SELECT * FROM waiting;

-- Who may, and what is refused.
SELECT topgun.retry_quarantine(NULL, '\x00');
SELECT topgun.retry_quarantine('known_words');
SELECT topgun.discard_quarantine('known_words');
SELECT topgun.discard_quarantine(NULL);
SELECT topgun.discard_quarantine('u', '\x00');
SET ROLE regress_tg_owner;
SELECT topgun.retry_quarantine();
SELECT topgun.discard_quarantine('o');
RESET ROLE;
GRANT EXECUTE ON FUNCTION topgun.retry_quarantine(regclass, bytea) TO regress_tg_owner;
GRANT USAGE ON SCHEMA topgun TO regress_tg_owner;
SET ROLE regress_tg_owner;
SELECT topgun.retry_quarantine();
RESET ROLE;
REVOKE EXECUTE ON FUNCTION topgun.retry_quarantine(regclass, bytea) FROM regress_tg_owner;
REVOKE USAGE ON SCHEMA topgun FROM regress_tg_owner;

SELECT topgun.remove_table(x) FROM unnest('{t,e,w,k,u,o,p,m}'::regclass[]) x;
DROP VIEW waiting;
DROP TABLE t, e, w, k, u, o, p, m, seen CASCADE;
DROP PROCEDURE retry, merge_unknown;
DROP DOMAIN known_word;
DROP FUNCTION is_known, refuse, look, id_of, peer_stamp;
DROP TABLE known_words;
DROP TYPE mood;
DROP ROLE regress_tg_owner;
