-- A merge runs as the owner of the table: triggers that fire for replicas, at
-- once or deferred, do not get the rights of whoever merges.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE ROLE regress_merge_owner;
CREATE TABLE owned (id int PRIMARY KEY, v text);
CREATE TABLE fired (n serial, op text, by_user text, level text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.fired (op, by_user, level) VALUES (tg_op, current_user, tg_level);
	RETURN NULL;
END
$$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON owned FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON owned FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER note_deferred AFTER INSERT ON owned
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER not_for_replicas AFTER INSERT ON owned FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE owned ENABLE ALWAYS TRIGGER note, ENABLE ALWAYS TRIGGER note_truncate,
	ENABLE REPLICA TRIGGER note_deferred;
SELECT topgun.add_table('owned') > 0 AS added;
ALTER TABLE owned OWNER TO regress_merge_owner;
GRANT INSERT ON fired TO regress_merge_owner;
GRANT USAGE ON SEQUENCE fired_n_seq TO regress_merge_owner;

SELECT topgun_internal.merge_row(ROW(1, 'new', '2020-01-01 00:00:00.000Z/0@7')::owned);
SELECT topgun_internal.merge_row(ROW(2, 'new', '2020-01-01 00:00:00.000Z/1@7')::owned);
SELECT topgun_internal.merge_row(ROW(1, 'changed', '2020-01-02 00:00:00.000Z/0@7')::owned);
SELECT topgun_internal.merge_row(ROW(1, NULL, '2020-01-03 00:00:00.000Z/0@7')::owned, true);
SELECT topgun_internal.merge_truncate(table_id, '2020-01-04 00:00:00.000Z/0@7')
	FROM topgun.table_state WHERE relid = 'owned'::regclass;
SELECT op, level, by_user FROM fired ORDER BY n;
SELECT current_user = session_user AS is_who_he_was;

SELECT topgun.remove_table('owned');
DROP TABLE owned, fired;
DROP FUNCTION note;
DROP ROLE regress_merge_owner;
