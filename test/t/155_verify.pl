# What stamps do not show: rows whose contents differ under the same stamp.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, settings => <<'END');
topgun.repair_interval = 0
topgun.fold_interval = '100ms'
END

# Each node speaks differently; the tests keep to what they know.
my @dialects = (
	"datestyle = 'German, DMY'; timezone = 'Asia/Kathmandu'; extra_float_digits = -15; bytea_output = 'escape'",
	"datestyle = 'SQL, MDY'; timezone = 'America/St_Johns'; extra_float_digits = 3; intervalstyle = 'iso_8601'",
	"datestyle = 'Postgres, YMD'; timezone = 'UTC'; max_parallel_maintenance_workers = 0");
foreach my $i (1 .. 3)
{
	$cluster->sql($i, "ALTER DATABASE postgres SET $_") foreach split(/;\s*/, $dialects[ $i - 1 ]);
}

$cluster->on_all(<<'END');
CREATE TABLE kinds (id timestamptz PRIMARY KEY, f8 float8, f4 float4, b bytea, d date, i interval, n numeric, x json, a text[]);
CREATE TABLE kv (id int PRIMARY KEY, v text, g int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE part (id int, k text, v text, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_rest (v text, k text NOT NULL, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part_rest DEFAULT;
END
$cluster->add_table($_) foreach qw(kinds kv part);
$cluster->sql(1, <<'END');
INSERT INTO kinds SELECT '2020-02-29 23:59:59.999999+00'::timestamptz + i * '1 day 1 us'::interval, i / 3.0, i / 7.0,
	decode(md5(i::text), 'hex'), '2020-01-01'::date + i, i * '1 mon 2 d 3 s'::interval, i / 9.0,
	json_build_object('a', i), ARRAY[i::text, NULL, ''] FROM generate_series(1, 500) i;
INSERT INTO kv SELECT i, 'v' || i FROM generate_series(1, 5000) i;
INSERT INTO part SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' || i END, 'v' || i FROM generate_series(1, 200) i;
END
$cluster->wait_for_sync;

# The keys and findings, in the order of the text of the keys.
sub verify
{
	my ($i, $table, $peer, $winner) = @_;
	my $more = $winner ? ", 'node$winner'" : '';
	return $cluster->sql($i, <<"END");
SELECT key, finding FROM topgun.verify('$table', 'node$peer'$more) ORDER BY key::text COLLATE "C"
END
}

# Do something to a table that no trigger sees.
sub damage
{
	my ($i, $table, $sql) = @_;
	return $cluster->sql($i, <<"END");
BEGIN;
ALTER TABLE $table DISABLE TRIGGER topgun_capture;
$sql
ALTER TABLE $table ENABLE ALWAYS TRIGGER topgun_capture;
COMMIT;
END
}

foreach my $table (qw(kinds kv part))
{
	foreach my $pair ([ 1, 2 ], [ 2, 3 ], [ 3, 1 ])
	{
		is(verify($pair->[0], $table, $pair->[1]), '', "$table: nodes $pair->[0] and $pair->[1] have the same contents");
	}
}

# ------------------------------------------------------- contents that differ
# Rows come back with the stamps they had through COPY, which no planner sees.
my $file = $cluster->node(2)->data_dir . '/rotten';
damage(2, 'kv', <<"END");
COPY (SELECT id, CASE id WHEN 10 THEN NULL WHEN 20 THEN '' ELSE v || '!' END, topgun_stamp FROM kv WHERE id IN (10, 20, 30)) TO '$file';
DELETE FROM kv WHERE id IN (10, 20, 30);
COPY kv (id, v, topgun_stamp) FROM '$file';
DELETE FROM kv WHERE id = 40;
INSERT INTO kv VALUES (6000, 'smuggled');
UPDATE kv SET v = 'damaged' WHERE id = 50;
END
is($cluster->sql(2, q{SELECT topgun.merkle_rebuild('kv')}), '3', 'stamps show three of the six');
is($cluster->sql(1, q{SELECT count(*) FROM topgun.merkle_diff('kv', 'node2')}), '3', 'so do the trees');
my $findings = <<'END';
{"id": 10}|contents differ
{"id": 20}|contents differ
{"id": 30}|contents differ
{"id": 40}|missing there
{"id": 50}|stamps differ
{"id": 6000}|missing here
END
chomp($findings);
is(verify(1, 'kv', 2), $findings, 'verify finds all six');
is(verify(1, 'kv', 3), '', 'and nothing elsewhere');
is(verify(2, 'kv', 1) =~ s/missing (\w+)/'missing ' . ($1 eq 'here' ? 'there' : 'here')/ger, $findings, 'the same from the other side');

is($cluster->sql(1, q{SELECT action, count(*) FROM topgun.repair('kv', 'node2') GROUP BY 1 ORDER BY 1}), "fetched|2\npushed|1",
	'repair mends what stamps show');
$cluster->sql(3, q{SELECT count(*) FROM topgun.repair('kv', 'node2')});
is(verify(1, 'kv', 2), join("\n", grep { /contents/ } split(/\n/, $findings)), 'the rest is left');

my @row = map { $cluster->sql(1, "SELECT v, topgun_stamp FROM kv WHERE id = $_") } 10, 20;
is(verify(1, 'kv', 2, 1), join("\n", grep { /contents/ } split(/\n/, $findings)), 'node 1 wins');
$cluster->wait_for_sync;
is(verify(1, 'kv', 2), '', 'nothing differs');
is($cluster->sql(2, q{SELECT string_agg(v, ' ' ORDER BY id) FROM kv WHERE id IN (10, 20, 30)}), 'v10 v20 v30', 'the winner has won');
isnt($cluster->sql(1, 'SELECT v, topgun_stamp FROM kv WHERE id = 10'), $row[0], 'with a fresh stamp');
$cluster->assert_converged('kv');

# The other one wins; a trigger of the user does not touch what is restamped.
$cluster->on_all(q{CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.v := 'meddled'; RETURN NEW; END$$;
	CREATE TRIGGER meddle BEFORE UPDATE ON kv FOR EACH ROW EXECUTE FUNCTION meddle()});
damage(2, 'kv', <<"END");
COPY (SELECT id, 'rotten', topgun_stamp FROM kv WHERE id IN (11, 12)) TO '$file';
DELETE FROM kv WHERE id IN (11, 12);
COPY kv (id, v, topgun_stamp) FROM '$file';
END
is(verify(1, 'kv', 2, 2), qq({"id": 11}|contents differ\n{"id": 12}|contents differ), 'node 2 wins');
$cluster->wait_for_sync;
is($cluster->sql($_, q{SELECT string_agg(v, ' ' ORDER BY id) FROM kv WHERE id IN (11, 12)}), 'rotten rotten', "on node $_") foreach 1 .. 3;
$cluster->assert_converged('kv');

# ----------------------------------------------------------------- partitions
damage(2, 'part', <<"END");
COPY (SELECT id, k, 'rotten', topgun_stamp FROM part WHERE id IN (3, 4)) TO '$file';
DELETE FROM part WHERE id IN (3, 4);
COPY part (id, k, v, topgun_stamp) FROM '$file';
END
is($cluster->sql(1, q{SELECT key->>'id' || finding FROM topgun.verify('part', 'node2', 'node1') ORDER BY 1}),
	"3contents differ\n4contents differ", 'rows of partitions');
$cluster->wait_for_sync;
is(verify(1, 'part', 2), '', 'nothing differs');
$cluster->assert_converged('part');

# ------------------------------------------------------------------- refusals
like(($cluster->error_of(1, q{SELECT topgun.verify('kv', 'node2', 'node3')}))[1], qr/22023.*winner must be this node or node "node2"/s,
	'a winner that has nothing to do with it');
like(($cluster->error_of(1, q{SELECT topgun.verify('kv', 'node2', 'nobody')}))[1], qr/42704.*"nobody" is not an active member/s, 'unknown winner');

# -------------------------------------------------- what is on its way is fine
# A row arrives and is deleted again, which the peer has not heard of: absent here
# before and after.  Then the same of a row of the asker that is gone there.
my $stands = q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%topgun.verify%' AND wait_event = 'advisory')};
$cluster->create_storm_table;
foreach my $case ([ 1, 2, 'here', 'DELETE FROM kv WHERE id = 7001' ], [ 2, 1, 'there', 'DELETE FROM kv WHERE id = 7002' ],
	[ 2, 1, 'there, truncated', 'TRUNCATE storm' ])
{
	my ($deletes, $has, $where, $sql) = @$case;
	my ($table, $key) = $sql =~ /TRUNCATE/ ? ('storm', 7003) : ('kv', $sql =~ /(\d+)/);
	$cluster->failpoint($deletes, 'pull-before-commit', 'pause');
	$cluster->sql($has, "INSERT INTO $table (id) VALUES ($key)");
	$cluster->failpoint(1, "verify-has-$_", 'lock') foreach qw(looked waited);
	my $lock = $cluster->node(1)->background_psql('postgres');
	$lock->query_safe('SELECT pg_advisory_lock(1)');
	my $session = $cluster->node(1)->background_psql('postgres');
	$session->query_until(qr/sent/, "\\echo sent\nSELECT 'found ' || count(*) FROM topgun.verify('$table', 'node2');\n");
	ok($cluster->wait_until(1, $stands), "verify has looked: $where");
	$lock->query_safe('SELECT pg_advisory_unlock(1), pg_advisory_lock(1)');
	$cluster->failpoint($deletes, 'pull-before-commit', 'off');
	ok($cluster->wait_until(1, $stands), "and waited: $where");
	$cluster->failpoint($has, 'pull-before-commit', 'pause');
	$cluster->sql($deletes, $sql);
	$cluster->failpoint(1, "verify-has-$_", 'off') foreach qw(looked waited);
	$lock->quit;
	like($session->query_until(qr/found \d+/, ''), qr/found 0/, "came and went $where");
	$cluster->failpoint($has, 'pull-before-commit', 'off');
	$session->quit;
	$cluster->wait_for_sync;
}
my $storm = $cluster->start_storm($ENV{TOPGUN_STORM_SECONDS} || 10);
my $end = time() + ($ENV{TOPGUN_STORM_SECONDS} || 10) - 1;
my ($rounds, $found) = (0, '');
while (time() < $end)
{
	my $i = 1 + $rounds % 3;
	$found .= verify($i, 'storm', 1 + $i % 3);
	$rounds++;
}
ok($cluster->finish_storm($storm), 'storm');
cmp_ok($rounds, '>', 2, 'verified in the storm');
is($found, '', 'without a finding');

$cluster->wait_for_sync;
$cluster->assert_converged;
$cluster->stop;
done_testing();
