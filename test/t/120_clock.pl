# Wall clocks that are wrong, jump and step back.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3);
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');

sub set_offset
{
	my ($i, $ms) = @_;
	$cluster->sql($i, "ALTER SYSTEM SET topgun.clock_offset = '$ms ms'");
	$cluster->sql($i, 'SELECT pg_reload_conf()');
	$cluster->wait_until($i, "SELECT setting = '$ms' FROM pg_settings WHERE name = 'topgun.clock_offset'");
	sleep(0.1);
	return;
}

# A node's stamps only ever grow.
sub stamps_grow
{
	my ($i, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$cluster->sql($i, "INSERT INTO kv VALUES (100 + $i, 'x') ON CONFLICT (id) DO UPDATE SET v = 'x'");
	my $before = $cluster->sql($i, 'SELECT max(topgun_stamp::text) FROM kv WHERE topgun.stamp_node(topgun_stamp) = ' . $i);
	$cluster->sql($i, "UPDATE kv SET v = '$what' WHERE id = 100 + $i");
	is( $cluster->sql($i, "SELECT topgun_stamp OPERATOR(topgun.>) '$before'::topgun.stamp FROM kv WHERE id = 100 + $i"),
		't', "stamps grow: $what");
	return;
}

stamps_grow(1, 'true clock');
set_offset(1, 30_000);
stamps_grow(1, 'half a minute ahead');
$cluster->sql(1, q{INSERT INTO kv VALUES (1, 'from the future')});
$cluster->assert_converged;
$cluster->sql(2, q{UPDATE kv SET v = 'later, by a slower clock' WHERE id = 1});
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT v FROM kv WHERE id = 1'), 'later, by a slower clock',
	'what a node has seen is older than what it writes');
set_offset(1, 0);
stamps_grow(1, 'stepped back');
$cluster->node(1)->restart;
stamps_grow(1, 'restarted with an earlier clock');
set_offset(2, -3_600_000);
stamps_grow(2, 'an hour behind');
$cluster->node(2)->restart;
stamps_grow(2, 'restarted an hour behind');
$cluster->sql(2, q{UPDATE kv SET v = 'behind, but last' WHERE id = 1});
$cluster->assert_converged;
is($cluster->sql(3, 'SELECT v FROM kv WHERE id = 1'), 'behind, but last', 'a slow clock loses nothing');
set_offset(2, 0);
$cluster->assert_converged;

# ------------------------------------------------- too far ahead: refused, shown, retried
$cluster->stop;

# Heartbeats would tell node 1 that it is ahead, and it would refuse to write.
my $far = TopGun::Cluster->new(3,
	settings => "topgun.max_clock_drift = '2s'\ntopgun.heartbeat_interval = '60s'\n");
$far->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$far->add_table('kv');
$cluster = $far;
set_offset(1, 8_000);
$far->sql(1, q{INSERT INTO kv VALUES (1, 'eight seconds ahead')});
sleep(1);
is($far->sql($_, 'SELECT count(*) FROM kv'), '0', "node $_ does not merge it") foreach 2, 3;
foreach my $i (2, 3)
{
	ok($far->wait_until($i, q{SELECT EXISTS (SELECT FROM topgun.stat_peer p WHERE p::text ~ 'clock')}),
		"node $i says that it is the clock");
}
$far->sql(2, q{INSERT INTO kv VALUES (2, 'in time')});
ok($far->wait_until(3, 'SELECT count(*) = 1 FROM kv WHERE id = 2'), 'the others go on');
set_offset(1, 0);
$far->assert_converged;
is($far->sql(3, 'SELECT count(*) FROM kv'), '2', 'when time has come, it is merged');

# A merge of a stamp from the far future is refused with its own SQLSTATE.
my ($state) = $far->error_of(2, q{SELECT topgun_internal.merge_row(
	ROW(7, 'far', '2099-01-01 00:00:00.000Z/0@1'::topgun.stamp)::kv, false)});
is($state, 'TG004', 'a stamp too far ahead has an SQLSTATE of its own');
is($far->sql(2, 'SELECT count(*) FROM kv WHERE id = 7'), '0', 'and changes nothing');
$far->assert_converged;

$far->stop;
done_testing();
