-- Everything that belongs to the extension, as text: two databases in which
-- this prints the same have the same topgun.
SET search_path = pg_catalog;

CREATE TEMPORARY VIEW member AS
	SELECT d.classid, d.objid, i.type, i.identity
	FROM pg_depend AS d
	JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) AS i
	WHERE d.deptype = 'e' AND e.extname = 'topgun';

CREATE TEMPORARY VIEW member_class AS
	SELECT c.*, m.identity FROM member AS m JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid;

CREATE FUNCTION pg_temp.grants(acl aclitem[]) RETURNS text LANGUAGE sql AS
	$$SELECT COALESCE(string_agg(a, ' ' ORDER BY a), '') FROM unnest(acl::text[]) AS a$$;

-- what there is, with its comment
SELECT m.type, m.identity, COALESCE(obj_description(m.objid, c.relname), '')
	FROM member AS m JOIN pg_class AS c ON c.oid = m.classid ORDER BY 1, 2;

-- functions, operators, types
SELECT 'function', m.identity, pg_get_functiondef(p.oid), pg_temp.grants(p.proacl)
	FROM member AS m JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	WHERE p.prokind IN ('f', 'p') ORDER BY 2;
SELECT 'operator', m.identity, o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin, o.oprcanmerge, o.oprcanhash
	FROM member AS m JOIN pg_operator AS o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid ORDER BY 2;
SELECT 'class', m.identity, pg_describe_object('pg_amop'::regclass, a.oid, 0)
	FROM member AS m JOIN pg_amop AS a ON m.classid = 'pg_opfamily'::regclass AND a.amopfamily = m.objid ORDER BY 2, 3;
SELECT 'class', m.identity, pg_describe_object('pg_amproc'::regclass, a.oid, 0)
	FROM member AS m JOIN pg_amproc AS a ON m.classid = 'pg_opfamily'::regclass AND a.amprocfamily = m.objid ORDER BY 2, 3;
SELECT 'type', m.identity, t.typlen, t.typbyval, t.typalign, t.typstorage, t.typinput, t.typoutput, t.typreceive, t.typsend, pg_temp.grants(t.typacl)
	FROM member AS m JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid ORDER BY 2;
SELECT 'cast', m.identity, c.castcontext, c.castmethod, c.castfunc::regprocedure
	FROM member AS m JOIN pg_cast AS c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid ORDER BY 2;

-- tables, views, sequences
SELECT 'relation', m.identity, m.relkind, m.relpersistence, m.reltoastrelid <> 0, m.reloptions, pg_temp.grants(m.relacl), pg_get_viewdef(m.oid)
	FROM member_class AS m ORDER BY 2;
SELECT 'column', m.identity, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
		pg_get_expr(d.adbin, d.adrelid), pg_temp.grants(a.attacl), col_description(m.oid, a.attnum)
	FROM member_class AS m JOIN pg_attribute AS a ON a.attrelid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef AS d ON d.adrelid = m.oid AND d.adnum = a.attnum ORDER BY 2, 3;
SELECT 'constraint', m.identity, k.conname, pg_get_constraintdef(k.oid)
	FROM member_class AS m JOIN pg_constraint AS k ON k.conrelid = m.oid ORDER BY 2, 3;
SELECT 'index', m.identity, pg_get_indexdef(x.indexrelid)
	FROM member_class AS m JOIN pg_index AS x ON x.indrelid = m.oid ORDER BY 2, 3;
SELECT 'trigger', m.identity, t.tgenabled, pg_get_triggerdef(t.oid)
	FROM member_class AS m JOIN pg_trigger AS t ON t.tgrelid = m.oid ORDER BY 2, 3, 4;
SELECT 'sequence', m.identity, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle
	FROM member_class AS m JOIN pg_sequence AS s ON s.seqrelid = m.oid ORDER BY 2;
SELECT 'dumped', c.rel::regclass, c.condition
	FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS c (rel, condition) WHERE e.extname = 'topgun' ORDER BY 2;
SELECT 'schema', m.identity, pg_temp.grants(n.nspacl)
	FROM member AS m JOIN pg_namespace AS n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid ORDER BY 2;
