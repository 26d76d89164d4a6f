# A dump of a node becomes a new node: stamps and tombstones come along, and
# joining fetches only what has changed since.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $rows = 1000;
my $cluster = TopGun::Cluster->new(2);
my $dir = PostgreSQL::Test::Utils::tempdir();
my @tables = ('item', 'parted', 'fed');

$cluster->on_all(<<'END');
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted DEFAULT;
CREATE TABLE fed (id int PRIMARY KEY, v text);
END
$cluster->add_table($_) foreach 'item', 'parted';
$cluster->add_table('fed', options => '{"stamping": "trigger"}');
$cluster->sql(1, "INSERT INTO item SELECT i, repeat('x', 300) FROM generate_series(1, $rows) AS i");
$cluster->sql(2, q{INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'p' FROM generate_series(1, 100) AS i});
$cluster->sql(2, q{INSERT INTO fed SELECT i, 'f' FROM generate_series(1, 100) AS i});
$cluster->wait_for_sync or die 'not in sync';
$cluster->sql(1, 'DELETE FROM item WHERE id BETWEEN 1 AND 10');
$cluster->sql(2, q{UPDATE item SET v = 'by 2' WHERE id BETWEEN 11 AND 20});
$cluster->assert_converged;

# ------------------------------------------------------------ dump and restore
my %dumped = map { $_ => $cluster->rows(1, $_) } @tables;
my $tombstones = 'SELECT count(*) FROM topgun.tombstone WHERE table_id >= 16';
my $deleted = $cluster->sql(1, $tombstones);
$cluster->node(1)->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/all", $cluster->node(1)->connstr('postgres') ], 'pg_dump -Fc');

# What happens in the cluster meanwhile.
$cluster->sql(1, 'DELETE FROM item WHERE id BETWEEN 101 AND 110');
$cluster->sql(2, q{UPDATE item SET v = 'after the dump' WHERE id BETWEEN 201 AND 210});
$cluster->sql(2, q{INSERT INTO parted VALUES (1000, 'c', 'after the dump')});
$cluster->wait_for_sync or die 'not in sync';

my $node = make_server(3);
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', 2, '-d', $node->connstr('postgres'), "$dir/all" ], 'pg_restore -j');
is($cluster->rows(3, $_), $dumped{$_}, "$_: rows and stamps are those of the dump") foreach @tables;
is($cluster->sql(3, 'SELECT count(*) FROM topgun.local_node'), '0', 'a restored database is no node');
is($cluster->sql(3, $tombstones), $deleted, 'tombstones are there');
my ($state, $message) = $cluster->error_of(3, q{UPDATE item SET v = 'x' WHERE id = 500});
is($state, 'TG007', 'it refuses to change stamped rows before it is a node');
like($message, qr/topgun\.join/, 'and says what to do');

# ------------------------------------------------------------------------ join
is($cluster->join_node(3), '3', 'it joins');
is($cluster->sql(3, q{SELECT count(*) FROM topgun.table_state WHERE state = 'synced' AND table_id >= 16}),
	'3', 'with all its tables');
$cluster->assert_converged;
is($cluster->sql(3, 'SELECT count(*) FROM item WHERE id BETWEEN 101 AND 110'), '0', 'what was deleted meanwhile is gone');
is($cluster->sql(1, 'SELECT count(*) FROM item WHERE id BETWEEN 1 AND 10'), '0', 'and nothing came back');
like($cluster->rows(3, 'item'), qr/\@2/, 'stamps still name the writers');
is( $cluster->sql(3, "SELECT count(*) FROM item WHERE topgun.stamp_node(topgun_stamp) = 3"), '0', 'the new node wrote none of them');
$cluster->sql(3, q{UPDATE item SET v = 'by 3' WHERE id = 500; DELETE FROM parted WHERE id = 2; UPDATE fed SET v = 'by 3' WHERE id = 1});
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT v FROM item WHERE id = 500'), 'by 3', 'it writes');

# ----------------------------------------- single tables, and the data alone
$node = make_server(4);
$cluster->node(1)->command_ok([ 'pg_dump', '-t', 'item', '-f', "$dir/item", $cluster->node(1)->connstr('postgres') ], 'pg_dump -t');
$node->safe_psql('postgres', 'CREATE EXTENSION topgun');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/item", $node->connstr('postgres') ], 'one table is restored');
is($cluster->rows(4, 'item'), $cluster->rows(1, 'item'), 'with its stamps');
$node->safe_psql('postgres', <<'END');
CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted DEFAULT;
CREATE TABLE fed (id int PRIMARY KEY, v text);
END
is($cluster->join_node(4), '4', 'a node with one restored table joins');
$cluster->assert_converged;

# The restored table of a node that was alone begins a cluster of its own.
$node = make_server(5);
$node->safe_psql('postgres', 'CREATE EXTENSION topgun');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/item", $node->connstr('postgres') ], 'restored once more');
$cluster->create_cluster(5);
my $before = $cluster->rows(5, 'item');
ok($cluster->call(5, 'topgun.add_table', 'item'), 'a restored table can be added to a new cluster');
is($cluster->rows(5, 'item'), $before, 'and keeps its stamps');
$cluster->sql(5, q{UPDATE item SET v = 'elsewhere' WHERE id = 500});
is($cluster->sql(5, 'SELECT topgun.wait_for_sync()'), 't', 'it is in step');

$cluster->stop;
done_testing();

# One more server, without the extension and no member yet.
sub make_server
{
	my ($i) = @_;
	my $made = $cluster->make_node($i);
	$cluster->sql($i, 'DROP EXTENSION topgun');
	$cluster->sql($i, 'DROP SCHEMA topgun');
	return $made;
}
