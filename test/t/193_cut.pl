# The network is cut in two: the side with the majority goes on without the
# other, the other behaves as its settings say, and comes back with all that
# it has written.  Once the packets only vanish, once a link is down.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(5, net => 1, settings => <<'END');
topgun.confirmation_timeout = '1s'
topgun.heartbeat_interval = '300ms'
topgun.phi_min_deviation = '300ms'
topgun.repair_interval = 0
END
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'start' FROM generate_series(1, 100) i});
$cluster->assert_converged;

sub set
{
	my ($i, $setting, $value) = @_;
	$cluster->sql($i, "ALTER SYSTEM SET $setting = '$value'");
	$cluster->sql($i, 'SELECT pg_reload_conf()');
	return;
}

my $members = q{(SELECT array_to_string(members, ',') FROM topgun.epoch_history ORDER BY epoch DESC LIMIT 1)};

sub members_are
{
	my ($i, $expected, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($cluster->wait_until($i, "SELECT $members = '$expected'", 40), $what)
	  || diag($cluster->sql($i, "SELECT $members"));
}

# Try to write until it ends with this SQLSTATE; returns how the last attempt did.
sub write_until
{
	my ($i, $expected, $row) = @_;
	my $deadline = time() + 20;
	my ($state, $message);
	do
	{
		($state, $message) = $cluster->error_of($i, "INSERT INTO kv VALUES ($row) ON CONFLICT DO NOTHING");
	} while ($state ne $expected && time() < $deadline);
	return ($state, $message);
}

set(2, 'topgun.minority_writes', 'reject');
set(2, 'topgun.fenced_writes', 'allow');
my $epoch = $cluster->sql(1, 'SELECT topgun.epoch()');
my $all = $cluster->sql(1, "SELECT $members");
ok($cluster->wait_until($_, 'SELECT count(*) = 4 AND min(answers) >= 10 FROM topgun.stat_peer'), "node $_ has heard of all") foreach 1 .. 5;

# ------------------------------------------------- two of five, and packets vanish
my $since = time();
$cluster->part(1, 2);
$cluster->sql($_, "UPDATE kv SET v = 'at once, by $_' WHERE id = $_") foreach 1, 4;

members_are($_, 'node3,node4,node5', "the majority removes the others by itself: node $_") foreach 3, 4, 5;
note(sprintf('measured: from the cut to the view of the majority: %.1f s', time() - $since));
$cluster->sql(3, q{INSERT INTO kv VALUES (103, 'of the majority'); DELETE FROM kv WHERE id = 50});
ok($cluster->wait_until($_, 'SELECT count(*) = 1 FROM kv WHERE id = 103'), "it goes on: node $_") foreach 4, 5;
ok($cluster->wait_until($_, q{SELECT count(*) FILTER (WHERE suspected) = 3 FROM topgun.stat_peer}),
	"the minority misses three: node $_") foreach 1, 2;
is($cluster->sql($_, "SELECT topgun.epoch() || ' ' || $members"), "$epoch $all", "it removes nobody: node $_") foreach 1, 2;

is((write_until(1, '00000', "101, 'of the minority'"))[0], '00000', 'it writes where minority_writes = allow');
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM kv WHERE id = 101'), 'which arrives within the minority');
my ($state, $message) = write_until(2, 'TG001', "1, 'never'");
is($state, 'TG001', 'and not where minority_writes = reject');
like($message, qr/does not hear of a majority/, 'which says why');
is(($cluster->error_of(1, q{SELECT topgun.evict('node5')}))[0], 'TG011', 'nor can an operator there remove anybody without force');
is($cluster->sql(1, 'SELECT count(*) FROM kv WHERE id = 103'), '0', 'nothing comes through the cut');

# --------------------------------------------------------------- the cut heals
$since = time();
$cluster->heal;
members_are($_, 'node3,node4,node5', "node $_ learns that it is out") foreach 1, 2;
note(sprintf('measured: from healing until both know: %.1f s', time() - $since));
($state, $message) = write_until(1, 'TG001', "1, 'never'");
is($state, 'TG001', 'fenced, it refuses writes where fenced_writes = reject');
like($message, qr/this node is fenced/, 'and says why');
is((write_until(2, '00000', "112, 'of a fenced node'"))[0], '00000', 'and takes them where fenced_writes = allow');
is($cluster->sql($_, 'SELECT count(*) FROM kv WHERE id IN (101, 112)'), '0', "nothing of a fenced node is on node $_") foreach 3, 4, 5;
is($cluster->sql($_, 'SELECT count(*) FROM kv WHERE id = 103'), '0', "and it gets nothing: node $_") foreach 1, 2;

ok($cluster->sql($_, 'SELECT topgun.rejoin()') > $epoch, "node $_ comes back") foreach 1, 2;
members_are($_, $all, "node $_ knows all members") foreach 1 .. 5;
ok($cluster->wait_until($_, 'SELECT count(*) = 0 FROM topgun.returning_to'), "node $_ is back by difference") foreach 1, 2;
$cluster->assert_converged;
is($cluster->sql(5, q{SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM kv WHERE v <> 'start'}),
	'1 at once, by 1, 4 at once, by 4, 101 of the minority, 103 of the majority, 112 of a fenced node',
	'what both sides have written is there, and nothing else');
is($cluster->sql(5, 'SELECT count(*) FROM kv WHERE id = 50'), '0', 'what was deleted is not');

# ------------------------------------------------------- one of five, link down
$cluster->unplug(4);
$cluster->sql(4, q{INSERT INTO kv VALUES (104, 'without a link')});
members_are($_, $all =~ s/,node4//r, "a node without a link is removed: node $_ knows") foreach 1, 5;
$cluster->sql(5, q{INSERT INTO kv VALUES (105, 'without node 4')});
$cluster->heal;
members_are(4, $all =~ s/,node4//r, 'the node learns of it');
$cluster->sql(4, 'SELECT topgun.rejoin()');
members_are($_, $all, "it is back: node $_ knows") foreach 1 .. 5;
$cluster->sql(4, q{INSERT INTO kv VALUES (114, 'back')});
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT count(*) FROM kv WHERE id IN (104, 105, 114)'), '3', 'nothing is lost');

$cluster->stop;
done_testing();
