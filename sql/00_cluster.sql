-- Runs first: the database of the other tests becomes a node, and gets what
-- they look at rows with.
SELECT topgun.create_cluster('a', 'dbname=' || current_database()) AS node_id;

-- The rows of a table, and whether they were written since fresh() was called
-- last.
CREATE FUNCTION public.fresh(rel regclass) RETURNS TABLE (data text, stamp text)
	LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format(
		'SELECT (to_jsonb(t) - ''topgun_stamp'')::text,
			CASE WHEN topgun_stamp IS NULL THEN ''null''
				WHEN topgun.stamp_node(topgun_stamp) <> 1 THEN ''not ours''
				WHEN topgun_stamp OPERATOR(topgun.>) %L::topgun.stamp THEN ''fresh'' ELSE ''old'' END
		FROM %s t ORDER BY (to_jsonb(t) - ''topgun_stamp'')::text COLLATE "C"', coalesce(current_setting('test.seen', true), '2001-01-01 00:00:00.000Z/0@1'), rel);
	PERFORM set_config('test.seen', format('%s', topgun.current_stamp()), false);
END
$$;
