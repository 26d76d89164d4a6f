# kill -9 of postmasters and workers under load: no acknowledged write is
# missing on any node, none is there twice, and nobody has to help.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;
use TopGun::Writer;

my $rounds = $ENV{TOPGUN_KILL_ROUNDS} || 3;
my $count = 3;
my $cluster = TopGun::Cluster->new($count);
my $dir = PostgreSQL::Test::Utils::tempdir();

$cluster->on_all('CREATE TABLE ledger (id text PRIMARY KEY, v int)');
$cluster->add_table('ledger');
$cluster->create_storm_table;

my %state;

# Everything that a client was told is done must be on every node.
sub check_acknowledged
{
	my ($what, @writers) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $writer (@writers)
	{
		my $acknowledged = $writer->acknowledged;
		@state{ keys %$acknowledged } = values %$acknowledged;
	}
	foreach my $i (1 .. $count)
	{
		my %found;
		my $doubled = 0;
		foreach my $line (split(/\n/, $cluster->sql($i,
			'SET enable_indexscan = off; SET enable_indexonlyscan = off; SELECT id, v FROM ledger')))
		{
			my ($key, $value) = split(/\|/, $line);
			$doubled++ if exists $found{$key};
			$found{$key} = $value;
		}
		my @wrong = grep { ($found{$_} // 'none') ne ($state{$_} // 'none') } sort keys %state;
		is(scalar(@wrong), 0, "$what, node $i: " . scalar(keys %state) . ' acknowledged keys are right')
		  or diag(join("\n", map { "$_: expected " . ($state{$_} // 'none') . ', found ' . ($found{$_} // 'none') }
				@wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]));
		is($doubled, 0, "$what, node $i: no key twice");
	}
	return;
}

foreach my $round (1 .. $rounds)
{
	my @writers = map {
		TopGun::Writer->start(node => $cluster->node($_), name => "r$round-n$_",
			table => 'ledger', log => "$dir/r$round-n$_")
	} 1 .. $count;
	my $victim = 1 + ($round - 1) % $count;
	my ($other) = grep { $_ != $victim } reverse 1 .. $count;

	sleep(0.5 + rand(1.5));
	$cluster->kill9_worker($other);
	sleep(rand(1));
	my $outlived = $cluster->kill9_postmaster($victim);
	pass(sprintf('round %d: all processes of node %d end with their postmaster (%.2f s)', $round, $victim, $outlived));
	sleep(0.5 + rand(1));
	$cluster->kill9_worker($victim);
	sleep(0.5);
	$_->stop foreach @writers;

	ok($cluster->wait_for_sync, "round $round: all has arrived");
	check_acknowledged("round $round", @writers);
	is($_->errors, '', "round $round: no statement of client $_->{name} has failed") foreach @writers;
	$cluster->assert_converged;
}

# A node that is down for long gets everything when it returns, also what was
# written without waiting for the disk.
$cluster->sql(1, q{SET synchronous_commit = off; INSERT INTO storm SELECT i, i, 'all' FROM generate_series(1000, 5000) i});
$cluster->kill9_and_wait(3);
my $storms = $cluster->start_storm(2, 1, 2);
ok($cluster->finish_storm($storms), 'a dead peer stops nobody');
is($cluster->sql(1, 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot holds WAL back');
is( $cluster->sql(1, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'topgun%'
	AND now() - xact_start > '1 s'}), '0', 'no worker holds an old snapshot');
$cluster->node(3)->start;
ok($cluster->wait_for_sync, 'the returned node has all');
$cluster->assert_converged;

# A node that loses the end of its own WAL gets its writes back from its peers.
$cluster->node(1)->append_conf('postgresql.conf', "wal_writer_delay = '10s'\nbgwriter_delay = '10s'");
$cluster->node(1)->restart;
foreach my $round (1 .. 2)
{
	$cluster->sql(1, "SET synchronous_commit = off; INSERT INTO ledger VALUES ('async $round', $round);
		UPDATE storm SET src = 'async $round' WHERE id < 50; DELETE FROM storm WHERE id = 50 + $round");
	ok($cluster->wait_until(2, "SELECT count(*) = 1 FROM ledger WHERE id = 'async $round'"),
		"tail $round: a peer has what the disk may not have");
	$cluster->kill9_postmaster(1);
	$cluster->sql(1, "INSERT INTO ledger VALUES ('after $round', 0)");
	$cluster->assert_converged;
	is($cluster->sql(1, "SELECT count(*) FROM ledger WHERE id IN ('async $round', 'after $round')"), '2',
		"tail $round: the node has its own writes again");
}

# An orderly restart of all at once.
$_->stop('fast') foreach map { $cluster->node($_) } 1 .. $count;
$_->start foreach map { $cluster->node($_) } 1 .. $count;
$cluster->sql($_, "UPDATE storm SET src = 'restarted $_' WHERE id % $count = $_ - 1") foreach 1 .. $count;
ok($cluster->wait_for_sync, 'all has arrived after a restart of all nodes');
check_acknowledged('in the end');
$cluster->assert_converged;

$cluster->stop;
done_testing();
