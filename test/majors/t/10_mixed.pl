# A cluster of several majors: every node writes, and all become equal.
# TOPGUN_SERVERS has the directories of the servers, the newest first.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my @servers = split(' ', $ENV{TOPGUN_SERVERS});
cmp_ok(scalar(@servers), '>=', 2, 'there are servers of several majors');
my $cluster = TopGun::Cluster->new(scalar(@servers), servers => \@servers);
my %majors = map { $cluster->sql($_, 'SHOW server_version_num') =~ s/....$//r => 1 } $cluster->running;
is(keys %majors, @servers, 'majors: ' . join(' ', sort keys %majors));
note('measured: a cluster of PostgreSQL ' . join(', ', sort keys %majors));

$cluster->on_all(<<'END');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE kinds (k1 numeric, k2 text COLLATE "C", i2 smallint, i8 bigint, f4 real, f8 float8, n numeric(12, 3), b boolean,
	by bytea, d date, t time, tz timestamptz, ts timestamp, iv interval, u uuid, j json, jb jsonb, ip inet, c cidr, m mood, p pair,
	a int[], aa text[], r int4range, mr int4multirange, pt point, ch char(5), vc varchar(10), o oid, x xml, ttt tsvector,
	g int GENERATED ALWAYS AS (i2 + 1) STORED, PRIMARY KEY (k1, k2));
CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted DEFAULT;
END
$cluster->add_table($_) foreach 'item', 'kinds', 'parted';

foreach my $i ($cluster->running)
{
	$cluster->sql($i, <<"END");
INSERT INTO kinds SELECT $i + g / 10.0, 'key ' || g, g, g * 1000000000::bigint, g / 3.0, g / 7.0, g * 1.5, g % 2 = 0,
	decode('00ff0a', 'hex'), DATE '2024-02-29' + g, TIME '12:34:56.789', TIMESTAMPTZ '2024-02-29 12:34:56.789+02', TIMESTAMP 'infinity',
	INTERVAL '1 year 2 mons 3 days 04:05:06.7', gen_random_uuid(), '{"a": [1, 2]}', '{"b": {"c": 1.50}}', '10.0.0.1/8', '10.0.0.0/8', 'happy',
	ROW(g, 'a "b"')::pair, ARRAY[1, NULL, g], ARRAY['x', '', NULL], int4range(1, g), int4multirange(int4range(1, 3), int4range(5, 9)),
	point(g, 1), 'ab', 'abc', 42, '<a/>', to_tsvector('simple', 'a fat cat')
	FROM generate_series(1, 50) AS g;
INSERT INTO kinds (k1, k2) VALUES ($i * -1, 'nulls');
INSERT INTO parted SELECT g, CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END, 'by $i' FROM generate_series($i * 1000, $i * 1000 + 99) AS g;
END
}
$cluster->assert_converged;
$cluster->create_storm_table(100);
ok($cluster->storm(5), 'every node writes the same rows');
foreach my $i ($cluster->running)
{
	$cluster->sql($i, "UPDATE kinds SET n = n + $i WHERE k2 LIKE '%$i'; DELETE FROM parted WHERE id % 7 = $i; "
		  . "UPDATE parted SET region = 'c' WHERE id % 7 = $i + 3");
}
$cluster->assert_converged;
is($cluster->sql($_, 'SELECT topgun.wait_for_sync()'), 't', "node $_ knows that it is in step") foreach $cluster->running;
is($cluster->sql(1, 'SELECT topgun.converged()'), 't', 'the trees say so, too');

# Differences are found and mended between majors, by contents as well.
my $last = $cluster->count;
$cluster->sql($last, q{SET session_replication_role = replica; ALTER TABLE item DISABLE TRIGGER topgun_capture;
	INSERT INTO item VALUES (1, 'past the trigger'); ALTER TABLE item ENABLE ALWAYS TRIGGER topgun_capture});
$cluster->sql($last, q{SELECT topgun.merkle_rebuild('item')});
is($cluster->sql(1, qq{SELECT count(*) FROM topgun.repair('item', 'node$last')}), '1', 'a repair finds a row');
$cluster->assert_converged;
is($cluster->sql(1, qq{SELECT count(*) FROM topgun.verify('kinds', 'node$last')}), '0', 'contents are the same in every type');

# An import, and a truncation.
$cluster->sql($last, q{CREATE TABLE feed AS SELECT id + 100 AS id, v, topgun_stamp FROM item; CALL topgun.merge_batch('item', 'feed')});
$cluster->sql(1, 'TRUNCATE parted');
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM item'), '2', 'what was imported is everywhere');
is($cluster->sql($last, 'SELECT count(*) FROM parted'), '0', 'what was truncated is nowhere');

$cluster->stop;
done_testing();
