# Any order and any repetition of inserts, updates, deletes and re-inserts of one
# key by three writers leads to the same row.
#
# Each history is a key of its own in one table.  The plan has a row for each
# version of a key and each place in the order in which it arrives.  What must
# come out is the version with the greatest stamp.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $random_keys = $ENV{TOPGUN_RANDOM_KEYS} || 300;
my $cluster = TopGun::Cluster->new(1);

$cluster->sql(1, <<'END');
CREATE TABLE history (id int PRIMARY KEY, v text);
SELECT topgun.add_table('history');
CREATE TABLE version (id int, n int, stamp topgun.stamp, deleted boolean, v text);
CREATE TABLE arrival (id int, place int, n int);

-- Version n of a key: three writers, of which two may share time and counter.
CREATE FUNCTION stamp_of(n int) RETURNS topgun.stamp LANGUAGE sql IMMUTABLE AS $$
	SELECT format('2025-03-04 05:06:%s.%sZ/%s@%s', lpad((n / 3)::text, 2, '0'), '000',
		n / 3 % 2, 2 + n % 3)::topgun.stamp
$$;

CREATE FUNCTION permutations(size int) RETURNS SETOF int[] LANGUAGE sql AS $$
	WITH RECURSIVE p (path) AS (
		SELECT ARRAY[]::int[]
		UNION ALL
		SELECT path || i FROM p, generate_series(1, size) i
		WHERE cardinality(path) < size AND NOT i = ANY (path))
	SELECT path FROM p WHERE cardinality(path) = size
$$;

CREATE FUNCTION plan_exhaustive(size int) RETURNS void LANGUAGE sql AS $$
	WITH history AS (
		SELECT size * 1000000 + row_number() OVER ()::int AS id, path, deleted
		FROM permutations(size) path, generate_series(0, (1 << size) - 1) deleted
	), versions AS (
		INSERT INTO version
		SELECT id, n, stamp_of(n), deleted >> (n - 1) & 1 = 1, 'v' || n
		FROM history, generate_series(1, size) n
	)
	INSERT INTO arrival
	SELECT id, place, path[place] FROM history, generate_series(1, size) place
$$;

-- Histories of up to 40 versions, each arriving once to three times.
CREATE FUNCTION plan_random(histories int) RETURNS void LANGUAGE sql AS $$
	WITH versions AS (
		INSERT INTO version
		SELECT id, n, stamp_of(n), random() < 0.4, 'v' || n
		FROM generate_series(1, histories) id,
			generate_series(1, 7 + (id * 7919 % 34)) n
		RETURNING id, n
	)
	INSERT INTO arrival
	SELECT id, row_number() OVER (PARTITION BY id ORDER BY random()), n
	FROM versions, generate_series(1, 1 + (random() * 2)::int)
$$;

-- Keys whose state is not that of their greatest version.
CREATE VIEW wrong AS
SELECT w.id, w.stamp, w.deleted, h.topgun_stamp, h.v
FROM (SELECT DISTINCT ON (id) * FROM version ORDER BY id, stamp DESC) w
LEFT JOIN history h ON h.id = w.id
WHERE CASE WHEN w.deleted THEN h.id IS NOT NULL
	ELSE h.id IS NULL OR h.topgun_stamp OPERATOR(topgun.<>) w.stamp OR h.v <> w.v END;
END

sub play
{
	my ($what) = @_;
	my $places = $cluster->sql(1, 'CREATE INDEX ON arrival (place); ANALYZE arrival; ANALYZE version;
		SELECT max(place) FROM arrival');
	foreach my $place (1 .. $places)
	{
		$cluster->sql(1, <<"END");
SELECT count(topgun_internal.merge_row(ROW(a.id, x.v, x.stamp)::history, x.deleted))
FROM (SELECT * FROM arrival WHERE place = $place ORDER BY id) a
JOIN version x ON x.id = a.id AND x.n = a.n
END
	}
	cmp_ok($cluster->sql(1, 'SELECT count(DISTINCT id) FROM version'), '>', 0, "$what: histories were played");
	is($cluster->sql(1, 'SELECT * FROM wrong ORDER BY id LIMIT 10'), '', "$what: the newest version stands");
	$cluster->sql(1, 'TRUNCATE version, arrival');
	return;
}

foreach my $size (1 .. 6)
{
	$cluster->sql(1, "SELECT plan_exhaustive($size)");
	play("all orders of $size operations");
}
$cluster->sql(1, 'SELECT setseed(0.25); ' . "SELECT plan_random($random_keys)");
play('random orders of up to 40 operations, repeated');

# A local write is newer than everything that came before it, a stale arrival
# changes nothing, and a tombstone outlives the return of its key.
$cluster->sql(1, <<'END');
INSERT INTO history VALUES (1000001, 'local') ON CONFLICT (id) DO UPDATE SET v = 'local';
DELETE FROM history WHERE id = 1000002;
INSERT INTO history VALUES (900077, 'twice');
DELETE FROM history WHERE id = 900077;
INSERT INTO history VALUES (900077, 'and again');
SELECT topgun_internal.merge_row(ROW(k, 'stale', stamp_of(9))::history, d)
FROM unnest(ARRAY[1000001, 1000002, 900077]) k, unnest(ARRAY[false, true]) d;
END
is( $cluster->sql(1, 'SELECT id, v FROM history WHERE id IN (900077, 1000001, 1000002) ORDER BY id'),
	"900077|and again\n1000001|local", 'stale arrivals change nothing');

# Equal time and counter from three writers: the greater writer stands.
foreach my $order ('2,3,4', '2,4,3', '3,2,4', '3,4,2', '4,2,3', '4,3,2')
{
	my $key = '9' . $order =~ tr/,//dr;
	foreach my $writer (split(/,/, $order))
	{
		$cluster->sql(1, "SELECT topgun_internal.merge_row(ROW($key, 'by $writer',
			'2025-01-01 00:00:00.000Z/7\@$writer')::history, false)");
	}
	is($cluster->sql(1, "SELECT v FROM history WHERE id = $key"), 'by 4', "equal clocks, order $order");
}

$cluster->stop;
done_testing();
