# A node that comes back after the journals of its peers have been cut, or from
# an old copy of its disk: it finds what differs by the Merkle trees, brings its
# own writes along and nothing that was deleted back.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $rows = 20_000;
my $cluster = TopGun::Cluster->new(3, settings => <<'END');
topgun.journal_segment_size = '64kB'
topgun.journal_max_size = '512kB'
topgun.tombstone_retention = '0'
topgun.fold_interval = '100ms'
topgun.repair_interval = '2s'
topgun.confirmation_timeout = '1h'
END
$cluster->on_all('CREATE TABLE item (id int PRIMARY KEY, v int, t text)');
$cluster->add_table('item');
$cluster->sql(1, "INSERT INTO item SELECT i, 0, repeat('x', 500) FROM generate_series(1, $rows) i");
$cluster->wait_for_sync or die 'not in sync';

# The position up to which node i has emptied its journal.
sub cut_of
{
	my ($i) = @_;
	return $cluster->sql($i, 'SELECT cut FROM topgun.journal_state');
}

# Change rows on nodes 1 and 2 until both have cut what node 3 has not read.
sub change_until_cut
{
	my @before = map { cut_of($_) } 1, 2;
	foreach my $round (1 .. 200)
	{
		$cluster->sql(1, 'UPDATE item SET v = v + 1 WHERE id BETWEEN 1000 AND 2000');
		$cluster->sql(2, 'UPDATE item SET v = v + 1 WHERE id BETWEEN 2001 AND 3000');
		return 1 if $round >= 20 && $before[0] ne cut_of(1) && $before[1] ne cut_of(2);
		select(undef, undef, undef, 0.05);
	}
	return 0;
}

sub bytes_received
{
	my ($i) = @_;
	return $cluster->sql($i, 'SELECT sum(received_bytes) FROM topgun.stat_peer');
}

# --- away while the journals are cut

my $log = -s $cluster->node(3)->logfile;
$cluster->failpoint($_->[0], $_->[1], 'pause') foreach [ 1, 'link-3' ], [ 2, 'link-3' ];
$cluster->sql(3, q{UPDATE item SET t = 'written on 3, alone' WHERE id = 7});
$cluster->sql(3, q{INSERT INTO item VALUES (100001, 3, 'new on 3')});
$cluster->sql(3, 'DELETE FROM item WHERE id = 8');
$cluster->node(3)->stop('immediate');
$cluster->sql(1, 'DELETE FROM item WHERE id BETWEEN 19001 AND 19100');
$cluster->sql(2, q{INSERT INTO item SELECT 200000 + i, i, 'new on 2' FROM generate_series(1, 50) i});
ok(change_until_cut(), 'the journals are cut while a peer is away');
$cluster->failpoint($_, 'link-3', 'off') foreach 1, 2;
is($cluster->sql(1, 'SELECT count(*) FROM pg_replication_slots'), '0', 'nothing of WAL is held back');

$cluster->node(3)->start;
$cluster->assert_converged;
like(slurp_file($cluster->node(3)->logfile, $log), qr/TG006/, 'the peer was told that the journal is cut');
is($cluster->sql(1, 'SELECT t FROM item WHERE id = 7'), 'written on 3, alone', 'its own update has arrived');
is($cluster->sql(2, 'SELECT t FROM item WHERE id = 100001'), 'new on 3', 'its own row as well');
is($cluster->sql(1, 'SELECT count(*) FROM item WHERE id = 8'), '0', 'and its deletion');
is($cluster->sql(3, 'SELECT count(*) FROM item WHERE id BETWEEN 19001 AND 19100'),
	'0', 'what the others have deleted is gone');
is($cluster->sql(3, 'SELECT count(*) FROM item WHERE id > 200000'), '50', 'what they have inserted is there');
ok($cluster->wait_until(3, q{SELECT bool_and(state = 'streaming') FROM topgun.stat_peer}), 'it goes on pulling');
$cluster->sql(1, q{UPDATE item SET t = 'after' WHERE id = 9});
ok($cluster->wait_until(3, q{SELECT t = 'after' FROM item WHERE id = 9}), 'and gets what comes next');

# --- the bytes are in proportion to what has changed

my $received = bytes_received(3);
note("measured: a node that was behind the cut has received $received bytes");
cmp_ok($received, '>', 10_000, 'rows have come');
cmp_ok($received, '<', $rows * 500 / 2, 'fewer by far than the table has');

# --- a return that is interrupted begins again

foreach my $place ('return-after-places', 'return-before-cursor')
{
	$cluster->failpoint(3, $_, 'pause') foreach 'link-1', 'link-2';
	ok(change_until_cut(), "cut again ($place)");
	my $log = -s $cluster->node(3)->logfile;
	$cluster->failpoint(3, $place, 'error');
	$cluster->failpoint(3, $_, 'off') foreach 'link-1', 'link-2';
	$cluster->node(3)->wait_for_log(qr/failpoint "?$place/, $log);
	$cluster->failpoint(3, $place, 'off');
	$cluster->assert_converged;
}

# --- a table that is being copied misses what was cut: it is copied anew

sub set_repair_interval
{
	my ($value) = @_;
	foreach my $i (1 .. 3)
	{
		$cluster->sql($i, "ALTER SYSTEM SET topgun.repair_interval = '$value'");
		$cluster->sql($i, 'SELECT pg_reload_conf()');
	}
}

$cluster->wait_for_sync or die 'not in sync';
set_repair_interval('0');
$cluster->failpoint($_->[0], $_->[1], 'pause') foreach [ 3, 'link-1' ], [ 3, 'link-2' ], [ 3, 'copy-step' ], [ 2, 'link-1' ];
sleep(1);
# node 1 has been copied, it is the turn of node 2
$cluster->sql(3, q{UPDATE topgun.table_state SET state = 'copying', copy_from = 2, copy_after = '\x00010001000000000000000000'
	WHERE relid = 'item'::regclass});
$cluster->sql(1, 'DELETE FROM item WHERE id BETWEEN 17001 AND 17100');
$cluster->sql(1, q{UPDATE item SET t = 'cut' WHERE id BETWEEN 17101 AND 17200});
my $log_of_1 = -s $cluster->node(1)->logfile;
my $is_behind = 0;
foreach my $round (1 .. 200)
{
	$cluster->sql(1, 'UPDATE item SET v = v + 1 WHERE id BETWEEN 1000 AND 2000');
	$is_behind = slurp_file($cluster->node(1)->logfile, $log_of_1) =~ /cut before it was read by .*"node3"/;
	last if $is_behind;
}
ok($is_behind, 'the journal is cut while a table is copied');
$log = -s $cluster->node(3)->logfile;
$cluster->failpoint(3, 'link-1', 'off');
$cluster->node(3)->wait_for_log(qr/came back to node/, $log);
$cluster->failpoint(3, $_, 'off') foreach 'link-2', 'copy-step';
ok($cluster->wait_until(3, q{SELECT state = 'synced' FROM topgun.table_state WHERE relid = 'item'::regclass}),
	'the copy ends');
is($cluster->sql(3, 'SELECT count(*) FROM item WHERE id BETWEEN 17001 AND 17100'), '0', 'deletions have come');
is($cluster->sql(3, q{SELECT count(*) FROM item WHERE t = 'cut'}), '100', 'updates, too');
$cluster->failpoint(2, 'link-1', 'off');
$cluster->assert_converged;
set_repair_interval('2s');

# --- an old copy of the disk

$cluster->wait_for_sync or die 'not in sync';
my $data = $cluster->node(3)->data_dir;
$cluster->node(3)->stop('fast');
system_or_bail('cp', '-a', $data, "$data.old");
$cluster->node(3)->start;
$cluster->sql(3, q{UPDATE item SET t = 'written after the copy' WHERE id = 17});
$cluster->sql(3, 'DELETE FROM item WHERE id = 18');
$cluster->sql(1, 'DELETE FROM item WHERE id BETWEEN 18001 AND 18100');
$cluster->wait_for_sync or die 'not in sync';
my $stamp = $cluster->sql(1, 'SELECT topgun_stamp FROM item WHERE id = 17');
ok( $cluster->wait_until(1, 'SELECT count(*) = 0 FROM topgun.tombstone'),
	'the tombstones of what was deleted are collected');
ok( $cluster->wait_until(2, 'SELECT count(*) = 0 FROM topgun.tombstone'), 'on the other node, too');
$cluster->node(3)->stop('fast');
ok(change_until_cut(), 'the journals are cut');
system_or_bail('rm', '-rf', $data);
system_or_bail('mv', "$data.old", $data);
$cluster->node(3)->start;
ok($cluster->wait_until(3, q{SELECT state = 'fenced' FROM topgun.status}), 'a restored node is fenced');
$cluster->sql(3, 'SELECT topgun.rejoin()');
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM item WHERE id BETWEEN 18001 AND 18100'),
	'0', 'a restored node brings nothing deleted back');
is($cluster->sql(3, 'SELECT count(*) FROM item WHERE id = 18'), '0', 'not even what it had deleted itself');
is($cluster->sql(3, 'SELECT t FROM item WHERE id = 17'),
	'written after the copy', 'and gets back what it had written');
$cluster->sql(3, q{UPDATE item SET t = 'newer' WHERE id = 17});
is($cluster->sql(3, "SELECT topgun_stamp OPERATOR(topgun.>) '$stamp' FROM item WHERE id = 17"),
	't', 'its clock goes on');
$cluster->assert_converged;

$cluster->stop;
done_testing();
