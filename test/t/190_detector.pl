# The failure detector: who is there, who is suspected, who has failed.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, settings => "topgun.confirmation_timeout = '3s'\n");
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');

sub peer_is
{
	my ($i, $peer, $condition) = @_;
	return "SELECT $condition FROM topgun.stat_peer WHERE node_id = $peer";
}

# Seconds until a node thinks so of a peer.
sub seconds_until
{
	my ($i, $peer, $condition, $since) = @_;
	$cluster->wait_until($i, peer_is($i, $peer, $condition)) or return 'never';
	return time() - $since;
}

sub between
{
	my ($got, $least, $most, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note("measured: $what: $got s");
	return ok($got ne 'never' && $got >= $least && $got <= $most, $what)
	  || diag("$got is not between $least and $most s");
}

sub log_of { my ($i) = @_; return slurp_file($cluster->node($i)->logfile); }

sub set
{
	my ($i, $setting, $value) = @_;
	$cluster->sql($i, "ALTER SYSTEM SET $setting = '$value'");
	$cluster->sql($i, 'SELECT pg_reload_conf()');
	return;
}

# --------------------------------------------------------------------- defaults
is($cluster->sql(1, <<'END'), <<'END' =~ s/\n\z//r, 'the settings and their defaults');
SELECT name, boot_val, unit FROM pg_settings WHERE name IN ('topgun.heartbeat_interval',
	'topgun.phi_threshold', 'topgun.phi_min_samples', 'topgun.phi_max_samples',
	'topgun.phi_min_deviation', 'topgun.confirmation_timeout', 'topgun.fenced_writes',
	'topgun.minority_writes') ORDER BY name
END
topgun.confirmation_timeout|10000|ms
topgun.fenced_writes|reject|
topgun.heartbeat_interval|1000|ms
topgun.minority_writes|allow|
topgun.phi_max_samples|100|
topgun.phi_min_deviation|100|ms
topgun.phi_min_samples|10|
topgun.phi_threshold|8|
END

# ------------------------------------------------------------- all are there
foreach my $i (1 .. 3)
{
	ok($cluster->wait_until($i, q{SELECT count(*) = 2 AND bool_and(last_heartbeat > now() - interval '5 s'
		AND NOT suspected AND round_trip_ms BETWEEN 0 AND 5000 AND abs(clock_offset_ms) < 5000)
		FROM topgun.stat_peer}), "node $i hears of both peers");
}
ok($cluster->wait_until(1, q{SELECT topgun.phi('node2') < 1}), 'phi of a peer that is there is small');
is($cluster->sql(1, q{SELECT topgun.phi('node1')}), '0', 'of ourselves it is 0');
is(($cluster->error_of(1, q{SELECT topgun.phi('nobody')}))[0], 'TG003', 'of a stranger it is not known');
is($cluster->sql(1, q{SELECT count(*) FROM topgun.stat_worker WHERE kind = 'pulse' AND state = 'running'}),
	'1', 'one worker sends all heartbeats');

set(2, 'topgun.clock_offset', '5s');
ok($cluster->wait_until(1, peer_is(1, 2, 'clock_offset_ms BETWEEN 4000 AND 6000')),
	'a clock that is off is seen');
set(2, 'topgun.clock_offset', '0');

# A peer that came and goes is judged by how it came.
ok($cluster->wait_until(1, q{SELECT min(answers) >= 10 FROM topgun.stat_peer}), 'some time has passed');

# -------------------------------------------------------------- one stands still
my $heard = '';
my $listener = IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node(1)->connstr('postgres'),
	'-c', 'LISTEN topgun', '-c', <<'END', '-c', 'SELECT 1' ], '<', \undef, '>&', \$heard);
DO $$BEGIN
	FOR i IN 1..600 LOOP
		EXIT WHEN EXISTS (SELECT FROM pg_tables WHERE tablename = 'heard');
		PERFORM pg_sleep(0.1);
	END LOOP;
END$$
END
ok($cluster->wait_until(1, q{SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE query LIKE 'DO%EXIT WHEN%')}), 'somebody listens');

my $since = time();
$cluster->freeze(3);
between(seconds_until(1, 3, 'phi > 2', $since), 0.2, 5, 'phi grows in silence');
between(seconds_until(1, 3, 'suspected', $since), 0.5, 6, 'from the stop to suspicion');
my $suspected = time();
ok($cluster->wait_until(2, peer_is(2, 3, 'suspected')), 'the other node suspects it, too');
is($cluster->sql(1, peer_is(1, 2, 'suspected')), 'f', 'but not that one');
$cluster->sql(1, q{INSERT INTO kv VALUES (1, 'while node 3 stands still')});
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM kv'), 'the others go on');
between(seconds_until(1, 3, 'confirmed', $suspected), 2, 6, 'from suspicion to certainty');
cmp_ok($cluster->sql(1, q{SELECT topgun.phi('node3')}), '>=', 8, 'phi is beyond the threshold');

ok($cluster->wait_until($_, 'SELECT topgun.epoch() = 4'), "a majority removes it: node $_ knows") foreach 1, 2;
note(sprintf('measured: from the stop to the new view: %.1f s', time() - $since));
$cluster->sql(1, 'CREATE TABLE heard ()');
IPC::Run::finish($listener);
my @told = $heard =~ /"topgun" with payload "\{"event": "(\w+)", "node_id": 3, "name": "node3"\}"/g;
is("@told", 'suspected confirmed', 'channel topgun tells of it, in order');
like(log_of(1), qr/LOG:.*node "node3" is suspected.*LOG:.*node "node3" has failed/s, 'and so does the log');

$cluster->thaw(3);
ok($cluster->wait_until(3, q{SELECT state = 'fenced' FROM topgun.status}), 'when it goes on it learns that it is fenced');
my ($refused, $why) = $cluster->error_of(3, q{INSERT INTO kv VALUES (100, 'of a zombie')});
is($refused, 'TG001', 'and refuses writes');
like($why, qr/not in the current view.*topgun\.rejoin/s, 'and says why, and what to do');
unlike(log_of(3), qr/is suspected/, 'who stood still has accused nobody');
$cluster->sql(3, 'SELECT topgun.rejoin()');
ok($cluster->wait_until($_, q{SELECT count(*) = 2 AND bool_and(state = 'streaming' AND NOT suspected)
	FROM topgun.stat_peer}), "node $_ has both peers again") foreach 1 .. 3;
ok($cluster->wait_until($_, q{SELECT count(*) = 3 AND bool_and(state = 'active') FROM topgun.node}),
	"node $_ knows all members") foreach 1 .. 3;
$cluster->sql(3, q{INSERT INTO kv VALUES (101, 'as a member again')});
$cluster->assert_converged;
is($cluster->sql(3, 'SELECT count(*) FROM kv'), '2', 'nothing is lost, and nothing of the zombie is there');

# ------------------------------------------------------ a short stop costs nothing
$cluster->freeze(3);
ok($cluster->wait_until(1, peer_is(1, 3, 'suspected')), 'a node stands still for a moment');
$since = time();
$cluster->thaw(3);
between(seconds_until(1, 3, 'NOT suspected', $since), 0, 4, 'from going on to being a peer again');
ok($cluster->wait_until(2, peer_is(2, 3, 'NOT suspected')), 'for the other node, too');
is($cluster->sql(1, 'SELECT topgun.epoch()'), '5', 'and nobody has removed it');
like(log_of(1), qr/LOG:.*node "node3" is back/, 'the log tells that it is back');

# ------------------------------------------------ the observer stands still
my $before = () = log_of(1) =~ /is suspected/g;
my ($worker) = $cluster->workers(1, 'topgun pulse');
kill('STOP', $worker);
sleep(4);
kill('CONT', $worker);
ok($cluster->wait_until(1, q{SELECT min(last_heartbeat) > now() - interval '1 s' FROM topgun.stat_peer}),
	'an observer that did not run goes on');
is((() = log_of(1) =~ /is suspected/g), $before, 'and accuses nobody');

# -------------------------------------------------- nothing holds heartbeats up
my $lock = IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node(1)->connstr('postgres'), '-c',
	'BEGIN; LOCK TABLE topgun.node IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4)' ], '>', '/dev/null');
IPC::Run::finish($lock);
is((() = log_of(1) =~ /is suspected/g), $before, 'a locked table holds up no heartbeat');
unlike(log_of($_), qr/"node1" is suspected/, "nor does it hold up answers to node $_") foreach 2, 3;

# ------------------------------------------------------------ without a majority
set(1, 'topgun.minority_writes', 'reject');
$cluster->sql(1, q{INSERT INTO kv VALUES (2, 'with a majority')});
$cluster->node($_)->stop('immediate') foreach 2, 3;
ok($cluster->wait_until(1, q{SELECT bool_and(suspected) FROM topgun.stat_peer}), 'both peers are gone');
my ($state, $message);
my $deadline = time() + 20;
do
{
	($state, $message) = $cluster->error_of(1, q{INSERT INTO kv VALUES (3, 'alone') ON CONFLICT DO NOTHING});
} while ($state ne 'TG001' && time() < $deadline);
is($state, 'TG001', 'without a majority in sight writes are refused');
like($message, qr/does not hear of a majority/, 'and it says why');
is(($cluster->error_of(1, 'DELETE FROM kv'))[0], 'TG001', 'so are deletions');
is($cluster->sql(1, 'SELECT count(*) > 0 FROM kv'), 't', 'reading goes on');
set(1, 'topgun.minority_writes', 'allow');
ok($cluster->wait_until(1, q{WITH w AS (INSERT INTO kv VALUES (4, 'alone') ON CONFLICT (id) DO UPDATE SET v = 'alone' RETURNING id)
	SELECT count(*) = 1 FROM w}), 'unless the setting allows them');
set(1, 'topgun.minority_writes', 'reject');
$cluster->node($_)->start foreach 2, 3;
ok($cluster->wait_until(1, q{SELECT NOT bool_or(suspected) FROM topgun.stat_peer}), 'they are back');
ok($cluster->wait_until(1, q{WITH w AS (INSERT INTO kv VALUES (5, 'not alone') ON CONFLICT (id) DO UPDATE SET v = 'again' RETURNING id)
	SELECT count(*) = 1 FROM w}), 'and so is the permission to write');
$cluster->assert_converged;

# -------------------------------------------------------- a clock far ahead
set($_, 'topgun.max_clock_drift', '2s') foreach 1 .. 3;
set(1, 'topgun.clock_offset', '7s');
ok($cluster->wait_until(1, q{SELECT bool_and(clock_offset_ms < -4000) FROM topgun.stat_peer}), 'a clock jumps');
$deadline = time() + 20;
do
{
	($state, $message) = $cluster->error_of(1, q{UPDATE kv SET v = 'x' WHERE false; SELECT topgun.current_stamp()});
} while ($state ne 'TG004' && time() < $deadline);
is($state, 'TG004', 'a node whose clock is ahead of a majority refuses its own writes');
$cluster->sql(2, q{INSERT INTO kv VALUES (6, 'in time')});
ok($cluster->wait_until(3, 'SELECT count(*) = 1 FROM kv WHERE id = 6'), 'the others go on');
set(1, 'topgun.clock_offset', '0');
ok($cluster->wait_until(1, q{SELECT topgun.current_stamp() IS NOT NULL}), 'until time has come');
$cluster->assert_converged;

$cluster->stop;
done_testing();
