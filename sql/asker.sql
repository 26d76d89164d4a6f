-- What members ask each other says who asks, in which view, in which life.
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION asker(node int, epoch bigint, view_id bytea) RETURNS bytea LANGUAGE sql
	RETURN '\x5447010f'::bytea || int2send(node::int2) || int8send(epoch) || view_id || int4send(0) || int8send(0);
CREATE VIEW ours AS SELECT epoch, substring(view FROM 13 FOR 8) AS id FROM topgun.cluster_state;

-- What a function says to somebody who asks.
CREATE FUNCTION answer(what text, asker bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT topgun_internal.' || what USING asker;
	RETURN 'answered';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE TABLE functions (what text);
INSERT INTO functions VALUES ('sync_state($1)'), ('cursors($1)'), ('tree_roots($1)'), ('fingerprint($1, 1)'),
	('token($1, 0, ''r'', 0)');
SELECT what, answer(what, asker(1, epoch, id)) FROM functions, ours ORDER BY 1;
SELECT what, answer(what, asker(2, epoch, id)) FROM functions, ours ORDER BY 1;
SELECT what, answer(what, asker(1, epoch + 1, id)) FROM functions, ours ORDER BY 1;
SELECT what, answer(what, asker(1, epoch - 1, id)) FROM functions, ours ORDER BY 1;
SELECT what, answer(what, asker(1, epoch, '\x0000000000000001')) FROM functions, ours ORDER BY 1;
SELECT what, answer(what, asker(1, epoch, id) || '\x00') FROM functions, ours ORDER BY 1;

-- So do requests that are one message: a pull, for example.
CREATE FUNCTION pull(asker bytea) RETURNS bytea LANGUAGE sql
	RETURN '\x54470101'::bytea || substring(asker FROM 5) || decode(repeat('00', 34), 'hex') || '\x00100000' || '\x0000';
SELECT answer('pull($1)', pull(asker(2, epoch, id))) FROM ours;
SELECT answer('pull($1)', pull(asker(1, epoch + 1, id))) FROM ours;
SELECT answer('pull($1)', pull(asker(1, epoch, '\x0000000000000001'))) FROM ours;

DROP TABLE functions;
DROP VIEW ours;
DROP FUNCTION pull(bytea), answer(text, bytea), asker(int, bigint, bytea);
