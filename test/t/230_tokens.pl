# Tokens: the right to a resource, bound to an epoch and a node.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(4, settings => <<'END');
topgun.confirmation_timeout = '1h'
topgun.token_grace = '5s'
END

sub issue { my ($i, $resource) = @_; return $cluster->call($i, 'topgun.issue_token', $resource); }
sub validate { my ($i, $resource, $token) = @_; return $cluster->call($i, 'topgun.validate_token', $resource, $token); }
sub release { my ($i, $resource, $token) = @_; return $cluster->call($i, 'topgun.release_token', $resource, $token); }
sub epoch { my ($i) = @_; return $cluster->sql($i, 'SELECT topgun.epoch()'); }

# The nodes on which a token is valid, of those asked.
sub valid_on
{
	my ($resource, $token, @nodes) = @_;
	return join(' ', grep { validate($_, $resource, $token) eq 't' } @nodes);
}

sub refused
{
	my ($i, $resource, $state, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($got, $message) = $cluster->error_of($i, "SELECT topgun.issue_token('$resource')");
	is($got, $state, $what) or diag($message);
	return $message;
}

# Names of resources that a node looks after; keepers are found by asking.
sub resources_kept_by
{
	my ($keeper, $prefix, $count) = @_;
	my @found;
	for (my $n = 1; @found < $count; $n++)
	{
		my $token = issue(1, "$prefix$n");
		push @found, "$prefix$n"
		  if $cluster->sql($keeper, "SELECT count(*) FROM topgun.token WHERE resource = '$prefix$n'") eq '1';
		release(1, "$prefix$n", $token);
	}
	return @found;
}

is(epoch($_), '4', "one node, then three that joined: node $_ is in epoch 4") foreach 1 .. 4;
is($cluster->sql(2, 'SELECT count(*) > 2 FROM topgun.epoch_history'), 't', 'earlier epochs are remembered');
is($cluster->sql(1, 'SHOW topgun.token_grace'), '5s', 'the grace is a setting');

# ------------------------------------------------------------------- events
my ($gate) = resources_kept_by(2, 'gate', 1);
my $token = $cluster->sql(2, <<"END" =~ s/\n/ /gr);
LISTEN topgun; SELECT topgun.release_token('$gate', topgun.issue_token('$gate'));
END
like($token, qr/"topgun" with payload "\{"event": "token_issued", "node_id": 2, "resource": "$gate", "token": (\d+)\}".*"token_released", "node_id": 2, "resource": "$gate", "token": \1\}/s,
	'who looks after a resource tells channel topgun of its tokens');

# ------------------------------------------------- issue, validate, release
my $first = issue(1, 'door');
cmp_ok($first, '>', 0, 'a token');
is($first >> 40, 4, 'it names its epoch');
is(valid_on('door', $first, 1 .. 4), '1 2 3 4', 'it is valid wherever one asks');
is(valid_on('window', $first, 1 .. 4), '', 'for its resource only');
like(refused(2, 'door', '55P03', 'another node gets none'), qr/resource "door" is held by node "node1"/, 'it says who holds it');
my $second = issue(1, 'door');
cmp_ok($second, '>', $first, 'the node that holds it gets a greater one');
is(valid_on('door', $first, 1 .. 4), '', 'the older one is stale');
is(valid_on('door', $second, 1 .. 4), '1 2 3 4', 'the newer one is not');
is(release(3, 'door', $first), 'f', 'a stale token releases nothing');
is(release(3, 'door', $second), 't', 'the valid one does');
is(release(1, 'door', $second), 'f', 'once');
is(valid_on('door', $second, 1 .. 4), '', 'released is not valid');
my $third = issue(2, 'door');
cmp_ok($third, '>', $second, 'then another node gets one, greater than all before');
is(($cluster->error_of(1, q{SELECT topgun.issue_token('')}))[0], '22023', 'a resource has a name');
is($cluster->call(1, 'topgun.validate_token', 'door', $_), 'f', "$_ is no token")
  foreach '0', '-1', '1', '9223372036854775807', $third + (1 << 40);

# ------------------------------------------- rollback, and kill -9 of the keeper
foreach my $keeper (1, 2)
{
	my ($resource) = resources_kept_by($keeper, "k$keeper-", 1);
	my $taken_back = $cluster->sql(1, "BEGIN; SELECT topgun.issue_token('$resource'); ROLLBACK");
	my $before = issue(1, $resource);
	cmp_ok($before, '>', $taken_back, "keeper $keeper: a number that was seen is not given again");
	$cluster->kill9_postmaster($keeper);
	ok($cluster->wait_until(1, "SELECT topgun.validate_token('$resource', $before)", 30),
		"keeper $keeper: after kill -9 of it the token is still valid");
	refused(3, $resource, '55P03', "keeper $keeper: and nobody else gets one");
	cmp_ok(issue(1, $resource), '>', $before, "keeper $keeper: numbers go on");
}

# ------------------------------------------------------ all ask for the same
foreach my $round (1 .. 3)
{
	my %out;
	my @runs = map {
		my $i = $_;
		IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node($i)->connstr('postgres'), '-f', '-' ],
			'<', \join('', map { "SELECT 'r$round-$_', topgun.issue_token('r$round-$_');\n" } 1 .. 25),
			'>', \$out{$i}, '2>', '/dev/null')
	} 1 .. 4;
	IPC::Run::finish($_) foreach @runs;
	my %holders;
	push @{ $holders{$_} }, 1 foreach map { /^(r\S+)\|/mg } values %out;
	is(scalar(keys %holders), 25, "round $round: each resource goes to somebody");
	is(scalar(grep { @$_ > 1 } values %holders), 0, "round $round: and to one node only");
}

# ----------------------------------- a node is evicted: its tokens go with it
my ($stays) = resources_kept_by(1, 's', 1);
my ($lost) = resources_kept_by(1, 'l', 1);
my $kept = issue(2, $stays);
my $dropped = issue(4, $lost);
is($cluster->sql(1, q{SELECT topgun.evict('node4')}), '5', 'evict: the epoch goes up by one');
ok($cluster->wait_until($_, 'SELECT topgun.epoch() = 5', 30), "node $_ is in epoch 5") foreach 1 .. 3;
is(valid_on($lost, $dropped, 1 .. 3), '', 'tokens of a node that is no member are dropped');
is(valid_on($stays, $kept, 1), '1', 'those of others count for a while');
refused(3, $stays, '55P03', 'and nobody else gets one meanwhile');
my $taken = issue(3, $lost);
cmp_ok($taken, '>', $dropped, 'what the node held is free, for a greater token');
is($taken >> 40, 5, 'of the new epoch');
ok($cluster->wait_until(1, "SELECT NOT topgun.validate_token('$stays', $kept)", 30), 'the grace is over');
cmp_ok(issue(3, $stays), '>', $kept, 'then others get one');
is(valid_on($stays, $kept, 1 .. 3), '', 'and the old one stays stale');
ok($cluster->wait_until(4, 'SELECT count(*) = 5 FROM generate_series(1, topgun.epoch()) e', 30), 'the evicted node has heard of it');
refused(4, 'any', 'TG001', 'a node that is not in the view gets no token');
is(($cluster->error_of(4, "SELECT topgun.validate_token('$lost', $taken)"))[0], 'TG001', 'nor can it validate any');

# ---------------------------------------------- who looks after it is not there
my ($of2) = resources_kept_by(2, 'g', 1);
my $orphan = issue(1, $of2);
$cluster->kill9_and_wait(2);
is(($cluster->error_of(1, "SELECT topgun.validate_token('$of2', $orphan)"))[0], '08006',
	'what cannot be asked is an error, not an answer');
$cluster->node(2)->start;
ok($cluster->wait_until(1, "SELECT topgun.validate_token('$of2', $orphan)", 30), 'when it is back the token is as it was');

# ------------------------------------------------------- epochs that are over
is($cluster->sql(1, q{SELECT topgun.evict('node2')}), '6', 'one more epoch');
ok($cluster->wait_until(3, 'SELECT topgun.epoch() = 6', 30), 'node 3 is in it');
issue(3, "x$_") foreach 1 .. 20;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.token WHERE token >> 40 < 5'), '0', "node $_ has dropped stale tokens")
  foreach 1, 3;

$cluster->stop;
done_testing();
