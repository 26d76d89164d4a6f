# A join that dies after the members have voted for it leaves a member that
# nobody has ever heard of: it holds up nothing, not even in a cluster of two,
# and is removed, or becomes what it should by the same call again.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2, join => 0, settings => <<'END');
topgun.tombstone_retention = 0
topgun.fold_interval = '200ms'
topgun.heartbeat_interval = '300ms'
topgun.confirmation_timeout = '1s'
topgun.minority_writes = 'reject'
END
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->create_cluster(1);
$cluster->call(1, 'topgun.add_table', 'kv');
$cluster->wait_attached(1, 'kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'first' FROM generate_series(1, 10) i});

my $view = q{(SELECT epoch || ' ' || array_to_string(members, ',') FROM topgun.epoch_history ORDER BY epoch DESC LIMIT 1)};
my $join = sprintf(q{SELECT topgun.join('node2', %s, %s)}, map { TopGun::Cluster::quote($cluster->dsn($_)) } 2, 1);

sub write_is
{
	my ($state, $id, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(($cluster->error_of(1, "INSERT INTO kv VALUES ($id, 'written')"))[0], $state, $what);
}

sub dies
{
	$cluster->failpoint(2, 'join-after-view', 'error');
	isnt(($cluster->error_of(2, $join))[0], '00000', 'a join dies after its admission');
	$cluster->failpoint(2, 'join-after-view', 'off');
	return;
}

# -------------------------------------------------------- the same call again
dies();
is($cluster->sql(1, "SELECT $view"), '2 node1,node2', 'it is a member');
is($cluster->sql(2, 'SELECT count(*) FROM topgun.local_node'), '0', 'and does not know of it');
is($cluster->sql(2, $join), '2', 'the same call again takes its id over');
is($cluster->sql(1, "SELECT $view"), '2 node1,node2', 'in the same view');
$cluster->assert_converged;
$cluster->sql(2, 'SELECT topgun.leave()');
is($cluster->sql(1, "SELECT $view"), '3 node1', 'it leaves');

# --------------------------------------------------------------- it is removed
dies();
is($cluster->sql(1, "SELECT $view"), '4 node1,node2', 'there is a phantom');
ok($cluster->wait_until(1, q{SELECT suspected FROM topgun.stat_peer}), 'which is suspected');
write_is('00000', 11, 'that keeps nobody from writing who wants a majority to be there');
ok($cluster->wait_until(1, "SELECT $view = '5 node1'"), 'it is removed by itself, without its vote')
  or diag($cluster->sql(1, "SELECT $view"));
$cluster->sql(1, 'DELETE FROM kv WHERE id = 1');
ok($cluster->wait_until(1, 'SELECT count(*) = 0 FROM topgun.tombstone WHERE table_id >= 16'), 'no tombstone waits for it');

# ------------------------------------------------------- an operator may, too
dies();
is($cluster->sql(1, q{SELECT topgun.evict('node2')}), '7', 'an operator removes one without force');

# -------------------------------------------------- one that has lived is another
is($cluster->sql(2, $join), '5', 'a join under a new id');
$cluster->assert_converged;
ok($cluster->wait_until(1, 'SELECT count(*) = 1 FROM topgun.peer_incarnation WHERE node_id = 5'), 'it was heard of');
$cluster->node(2)->stop('immediate');
ok($cluster->wait_until(1, q{SELECT confirmed FROM topgun.stat_peer}), 'it fails');
is(($cluster->error_of(1, q{SELECT topgun.evict('node2')}))[0], 'TG011', 'of two that have lived none removes the other without force');
write_is('TG001', 12, 'nor is one a majority');
$cluster->node(1)->restart;
ok($cluster->wait_until(1, q{SELECT confirmed FROM topgun.stat_peer}), 'also after a restart');
is(($cluster->error_of(1, q{SELECT topgun.evict('node2')}))[0], 'TG011', 'which has not made it forget');
is($cluster->sql(1, "SELECT $view"), '8 node1,node2', 'the view is what it was');
$cluster->node(2)->start;
ok($cluster->wait_until(1, q{SELECT NOT suspected FROM topgun.stat_peer}), 'it is back');
$cluster->assert_converged;

$cluster->stop;
done_testing();
