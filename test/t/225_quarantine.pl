# Rows in quarantine by hand: tried again, or given up for what stands here.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3);
$cluster->on_all('CREATE TABLE t (id int PRIMARY KEY, v int)');
$cluster->add_table('t');
$cluster->sql(1, 'INSERT INTO t SELECT i, i FROM generate_series(1, 5) AS i');
$cluster->wait_for_sync;

sub waits
{
	my ($i, $n) = @_;
	return $cluster->wait_until($i, "SELECT count(*) = $n FROM topgun.quarantine");
}

# Node 1 refuses what the others have: two changed rows, two new ones.
sub quarantine
{
	my ($first) = @_;
	$cluster->sql(1, 'ALTER TABLE t ADD CONSTRAINT small CHECK (v < 100) NOT VALID');
	$cluster->sql(2, "UPDATE t SET v = 100 + id WHERE id <= 2; INSERT INTO t VALUES ($first, 200), ($first + 1, 201)");
	ok(waits(1, 4), 'four rows wait');
	ok($cluster->wait_until(3, "SELECT count(*) = 4 FROM t WHERE v >= 100"), 'the third node has them');
	return;
}

quarantine(10);
is($cluster->sql(1, 'SELECT topgun.retry_quarantine()'), '0', 'tried again, they still fail');
is($cluster->sql(1, 'SELECT min(tries) >= 2 FROM topgun.quarantine'), 't', 'which counts as a try');
$cluster->sql(1, 'ALTER TABLE t DROP CONSTRAINT small');
is($cluster->sql(1, q{SELECT topgun.retry_quarantine('t')}), '4', 'with the constraint gone all are merged at once');
is($cluster->sql(1, 'SELECT count(*) FROM topgun.quarantine'), '0', 'nothing waits');
$cluster->assert_converged;

$cluster->sql(2, 'UPDATE t SET v = id');
$cluster->wait_for_sync;
quarantine(20);
is($cluster->sql(1, q{BEGIN; SELECT topgun.discard_quarantine('t'); ROLLBACK}), '4', 'four rows are given up');
is($cluster->sql(1, 'SELECT count(*) FROM topgun.quarantine'), '4', 'and rolled back, they are not');
is($cluster->sql(1, q{SELECT topgun.discard_quarantine('t', key) FROM topgun.quarantine WHERE row_data ->> 'id' = '20'}), '1',
	'one by its key');
is($cluster->sql(1, q{SELECT topgun.discard_quarantine('t')}), '3', 'and the rest');
ok($cluster->wait_for_sync, 'in step');
is($cluster->sql($_, 'SELECT count(*) FROM t WHERE v >= 100 OR id >= 20'), '0', "node $_: what node 1 had stands")
  foreach 1 .. 3;
is($cluster->sql(1, 'SELECT * FROM topgun.repair($$t$$, $$node2$$)'), '', 'a comparison brings nothing again');
ok(waits(1, 0), 'nothing waits');
$cluster->sql(1, 'ALTER TABLE t DROP CONSTRAINT small');
$cluster->assert_converged;
done_testing();
