# topgun.synchronous: a commit that waits until other members have it durably.
# What was acknowledged outlives kill -9 of the node that acknowledged it.
#
# A long run: TOPGUN_KILL_ROUNDS=100 test/run tap 200_acknowledged
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;
use TopGun::Writer;

my $rounds = $ENV{TOPGUN_KILL_ROUNDS} || 6;
my $cluster = TopGun::Cluster->new(3, join => 0);
my $dir = PostgreSQL::Test::Utils::tempdir();

# Run SQL that must succeed; returns the warnings that came with it.
sub warnings_of
{
	my ($i, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($code, $out, $err) = $cluster->node($i)->psql('postgres', $sql, on_error_stop => 1);
	is($code, 0, 'no error') or diag($err);
	return $err;
}

sub held
{
	my ($failpoint, @on) = @_;
	$cluster->failpoint($_, $failpoint, 'pause') foreach @on;
	return;
}

sub released
{
	my ($failpoint, @on) = @_;
	$cluster->failpoint($_, $failpoint, 'off') foreach @on;
	return;
}

# --------------------------------------------------------------- one node alone
$cluster->create_cluster(1);
$cluster->on_all('CREATE TABLE acc (id int PRIMARY KEY, v text)');
$cluster->sql(1, q{SELECT topgun.add_table('acc')});
$cluster->wait_attached(1, 'acc');
like(warnings_of(1, q{SET topgun.synchronous = one; INSERT INTO acc VALUES (-1, 'alone')}),
	qr/WARNING:  commit cannot be acknowledged: this node is the only member/, 'alone, one: it says so');
is(warnings_of(1, q{SET topgun.synchronous = quorum; INSERT INTO acc VALUES (-2, 'alone')}), '',
	'alone, quorum: a majority of one is one');
is(warnings_of(1, q{SET topgun.synchronous = 'all'; INSERT INTO acc VALUES (-3, 'alone')}), '', 'alone, all');

$cluster->join_node($_) foreach 2, 3;
$cluster->wait_attached($_, 'acc') foreach 1 .. 3;
$cluster->on_all('CREATE TABLE ledger (id text PRIMARY KEY, v int)');
$cluster->add_table('ledger');
ok($cluster->wait_for_sync, 'three nodes');

# ------------------------------------------------------------------ the setting
is(($cluster->error_of(1, q{SET topgun.synchronous = 'qourum'}))[0], '22023', 'a misspelt value is an error');
is(($cluster->error_of(1, q{SET topgun.synchronus = 'quorum'}))[0], '42602', 'a misspelt name is one');
is($cluster->sql(1, 'SHOW topgun.synchronous'), 'off', 'off is the default');

# ------------------------------------------------------------------ how long it takes
foreach my $level ('off', 'one', 'quorum', 'all')
{
	my $sql = "SET topgun.synchronous = '$level'; SELECT clock_timestamp() AS began \\gset\n"
	  . join('', map { "INSERT INTO acc VALUES ($_, '$level') ON CONFLICT (id) DO UPDATE SET v = excluded.v;\n" } 1 .. 100)
	  . "SELECT round(extract(epoch FROM clock_timestamp() - :'began') * 10, 3);";
	my ($code, $ms, $err) = $cluster->node(1)->psql('postgres', $sql);
	is($err, '', "$level: no warning");
	note("measured: a commit with $level takes $ms ms");
	cmp_ok($ms, '<', 100, "$level: an acknowledgement does not wait for the next pull");
}

# ----------------------------------------------------------------- what waits
held('puller-round', 2, 3);
my $wait = q{SET topgun.synchronous = 'all'; SET topgun.ack_timeout = '300ms';};
is(warnings_of(1, "$wait SELECT count(*) FROM acc"), '', 'who only reads does not wait');
is(warnings_of(1, "$wait CREATE TABLE other (id int); INSERT INTO other VALUES (1); DROP TABLE other"), '',
	'nor who writes other tables');
is( warnings_of(1, "$wait BEGIN; SAVEPOINT a; INSERT INTO acc VALUES (200, 'x'); ROLLBACK TO a; COMMIT"), '',
	'nor who has rolled back what he wrote');
is(warnings_of(1, "$wait BEGIN; INSERT INTO acc VALUES (200, 'x'); ROLLBACK"), '', 'nor all of it');
like(warnings_of(1, "$wait BEGIN; SAVEPOINT a; INSERT INTO acc VALUES (201, 'x'); RELEASE a; COMMIT"),
	qr/commit was not acknowledged/, 'who wrote in a subtransaction does');
like(warnings_of(1, "$wait DO 'BEGIN FOR i IN 202 .. 203 LOOP INSERT INTO acc VALUES (i, NULL); COMMIT; END LOOP; END'"),
	qr/commit was not acknowledged.*commit was not acknowledged/s, 'each commit of a procedure does');

# ------------------------------------------------------------------- time-out
my $began = time();
my $warning = warnings_of(1, "\\set VERBOSITY verbose\n$wait INSERT INTO acc VALUES (210, 'nobody')");
cmp_ok(time() - $began, '>=', 0.3, 'it waits as long as it is told');
like($warning, qr/WARNING:  TG012: commit was not acknowledged by 2 of the other members within 300 ms/, 'time-out');
like($warning, qr/Members that have it durably: none; that have not said so: "node2", "node3"\./, 'it says who lacks it');
released('puller-round', 2);
is(warnings_of(1, q{SET topgun.synchronous = one; INSERT INTO acc VALUES (211, 'one')}), '', 'one of two is there: one');
is(warnings_of(1, q{SET topgun.synchronous = quorum; INSERT INTO acc VALUES (212, 'quorum')}), '', 'and so is a quorum');
like(warnings_of(1, "$wait INSERT INTO acc VALUES (213, 'all')"),
	qr/durably: "node2"; that have not said so: "node3"\./, 'not all, and it says who has it and who lacks it');

# ------------------------------- merged and seen, but not yet on the peer's disk
held('pull-after-commit', 2);
like(warnings_of(1, q{SET topgun.synchronous = one; SET topgun.ack_timeout = '500ms'; INSERT INTO acc VALUES (220, 'seen')}),
	qr/durably: none;/, 'what is not flushed is not acknowledged');
ok($cluster->wait_until(2, q{SELECT EXISTS (SELECT FROM acc WHERE id = 220)}), 'though it can be seen there');
released('pull-after-commit', 2);
is(warnings_of(1, q{SET topgun.synchronous = one; INSERT INTO acc VALUES (221, 'flushed')}), '', 'later it is');

# ------------------------------------------------- a member that skips a table
$cluster->sql(2, 'ALTER TABLE acc ADD extra int');
$cluster->sql(1, q{INSERT INTO acc VALUES (230, 'left out')});
$cluster->wait_table_state(2, 'acc', 'paused');
like(warnings_of(1, q{SET topgun.synchronous = one; SET topgun.ack_timeout = '1s'; INSERT INTO acc VALUES (231, 'left out')}),
	qr/durably: none;/, 'what a member leaves out is not acknowledged');
$cluster->sql(2, 'ALTER TABLE acc DROP extra');
$cluster->wait_attached(2, 'acc');
is(warnings_of(1, q{SET topgun.synchronous = one; INSERT INTO acc VALUES (232, 'taken up')}), '',
	'once its tables are in step it is');

# ------------------------------------------------------- cancel and terminate
held('puller-round', 2);
foreach my $end ('cancel', 'terminate')
{
	my ($out, $err) = ('', '');
	PostgreSQL::Test::Utils::append_to_file("$dir/$end.sql", <<"END");
SET application_name = 'waits'; SET topgun.synchronous = one; SET topgun.ack_timeout = 0;
INSERT INTO acc VALUES (24@{[ length $end ]}, '$end');
SELECT 'goes on';
END
	my $session = IPC::Run::start([ $cluster->node(1)->installed_command('psql'), '-XAtq', '-d',
			$cluster->node(1)->connstr('postgres'), '-f', "$dir/$end.sql" ], '<', \undef, '>', \$out, '2>', \$err);
	ok($cluster->wait_until(1, "SELECT EXISTS (SELECT FROM acc WHERE v = '$end')"), "$end: others see it meanwhile");
	ok($cluster->wait_until(1, "SELECT pg_${end}_backend(pid) FROM pg_stat_activity WHERE application_name = 'waits'"), $end);
	IPC::Run::finish($session);
	if ($end eq 'cancel')
	{
		like($err, qr/WARNING:  canceling the wait for acknowledgements due to user request.*has committed on this node.*not said so: "node2", "node3"/s,
			'cancel: the wait ends, with a warning');
		like($out, qr/goes on/, 'cancel: the session goes on');
	}
	else
	{
		like($err, qr/WARNING:  canceling the wait for acknowledgements and terminating connection/, 'terminate: it says so');
		unlike($out, qr/goes on/, 'terminate: the session is over');
	}
	is($cluster->sql(1, "SELECT count(*) FROM acc WHERE v = '$end'"), '1', "$end: the row stays");
}
released('puller-round', 2, 3);
ok($cluster->wait_for_sync, 'all has arrived');
$cluster->assert_converged;

# -------------------------------------- the origin dies right after the commit
# Clients write on one node and note what is acknowledged.  Then that node dies
# for the time being, in every other round together with the two others, whose
# disks must have it.
my $checked = 0;

sub kill_all_of
{
	my (@nodes) = @_;
	my @pids = map { $cluster->node($_)->{_pid}, TopGun::Cluster::children_of($cluster->node($_)->{_pid}) } @nodes;
	kill('KILL', @pids);
	$cluster->kill9_and_wait($_) foreach @nodes;
	sleep(0.01) while grep { kill(0, $_) } @pids;
	return;
}

# What is wrong with the acknowledged keys on a node, as text.
sub faults
{
	my ($i, $expected) = @_;
	my %found = map { split(/\|/, $_) } split(/\n/, $cluster->sql($i, 'SELECT id, v FROM ledger'));
	return join("\n", map { "node $i, $_: expected " . ($expected->{$_} // 'none') . ', found ' . ($found{$_} // 'none') }
		  grep { ($found{$_} // 'none') ne ($expected->{$_} // 'none') } sort keys %$expected);
}

foreach my $round (1 .. $rounds)
{
	my $level = $round % 2 ? 'one' : 'quorum';
	my $origin = 1 + $round % 3;
	my @others = grep { $_ != $origin } 1 .. 3;
	my $all = int(($round - 1) / 2) % 2;
	$cluster->sql($origin, "ALTER DATABASE postgres SET topgun.synchronous = $level");
	$cluster->sql($origin, q{ALTER DATABASE postgres SET topgun.ack_timeout = '60s'});

	my @writers = map { TopGun::Writer->start(node => $cluster->node($origin), name => "r$round-$_",
			table => 'ledger', log => "$dir/r$round-$_") } 1 .. 4;
	sleep(0.01) until (-s "$dir/r$round-1" // 0) > 500;
	sleep(rand(0.3));
	kill_all_of($all ? (1 .. 3) : $origin);
	$_->stop foreach @writers;
	$cluster->node($_)->start foreach $all ? @others : ();

	my %expected = map { %{ $_->acknowledged } } @writers;
	$checked += keys %expected;
	my $deadline = time() + 30;
	my $faults;
	sleep(0.05) while ($faults = join("\n", map { faults($_, \%expected) } @others)) =~ /\S/ && time() < $deadline;
	ok($faults !~ /\S/, sprintf('round %d, %s: %d acknowledged keys are on the others after kill -9 of node %d%s',
			$round, $level, scalar(keys %expected), $origin, $all ? ', and of them' : '')) or diag($faults);
	is(join('', map { $_->errors } @writers), '', "round $round: no statement has failed");
	$cluster->node($origin)->start;
}
cmp_ok($checked, '>=', 100, "$checked acknowledged keys in $rounds kills");
$cluster->sql($_, 'ALTER DATABASE postgres RESET ALL') foreach 1 .. 3;
ok($cluster->wait_for_sync, 'the nodes that died are back');
$cluster->assert_converged;

$cluster->stop;
done_testing();
