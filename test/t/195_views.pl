# Views: who is in the cluster is decided by the votes of a majority, one view
# after the other, whatever dies meanwhile.  Nodes are evicted, come back, leave
# and join again; what was deleted while a node was away stays deleted.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(4, links => 1, join => 0, settings => <<'END');
topgun.tombstone_retention = 0
topgun.fold_interval = '200ms'
topgun.repair_interval = '2s'
topgun.confirmation_timeout = '1h'
END
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text); CREATE TABLE doubt (id int PRIMARY KEY, v text)');

# The newest view that node i knows, as "epoch name,name".
my $newest = q{(SELECT epoch || ' ' || array_to_string(members, ',') FROM topgun.epoch_history ORDER BY epoch DESC LIMIT 1)};

sub view_of { my ($i) = @_; return $cluster->sql($i, "SELECT $newest"); }

sub knows
{
	my ($i, $view) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($cluster->wait_until($i, "SELECT $newest = '$view'", 30), "node $i knows view $view")
	  or diag(view_of($i));
	return;
}

sub is_back
{
	my ($i) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($cluster->wait_until($i, 'SELECT count(*) = 0 FROM topgun.returning_to', 30), "node $i is back by difference");
	return;
}

# Start SQL on a node in the background; "finish" returns what it says.
sub start
{
	my ($i, $sql) = @_;
	my %run = (out => '', err => '');
	$run{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $cluster->node($i)->connstr('postgres'), '-c', $sql ],
		'>', \$run{out}, '2>', \$run{err});
	return \%run;
}

sub finish
{
	my ($run) = @_;
	$run->{run}->finish;
	chomp($run->{out});
	diag($run->{err}) if $run->{err} ne '';
	return $run->{out};
}

# Compare these nodes; the others are not in it.
sub assert_converged_on
{
	my (@nodes) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	no warnings 'redefine';
	local *TopGun::Cluster::running = sub { return @nodes; };
	$cluster->assert_converged;
	return;
}

# --------------------------------------- two nodes join by way of two members
$cluster->create_cluster(1);
is(view_of(1), '1 node1', 'a cluster begins with a view');
$cluster->join_node(2);
knows($_, '2 node1,node2') foreach 1, 2;
my @joins = map {
	start($_->[0], sprintf('SELECT topgun.join(%s, %s, %s)',
			map { TopGun::Cluster::quote($_) } "node$_->[0]", $cluster->dsn($_->[0]), $cluster->dsn($_->[1])))
} [ 3, 1 ], [ 4, 2 ];
my @ids = map { finish($_) } @joins;
is(join(' ', sort @ids), '3 4', 'nodes that join at a time get different ids');
my ($third, $fourth) = @ids;
knows($_, '4 ' . ($third eq '3' ? 'node1,node2,node3,node4' : 'node1,node2,node4,node3')) foreach 1 .. 4;
my $all = view_of(1) =~ s/.* //r;
sub but { my (@gone) = @_; return join(',', grep { my $name = $_; !grep { $_ eq $name } @gone } split(/,/, $all)); }
$cluster->add_table($_) foreach 'kv', 'doubt';
$cluster->sql(1, q{INSERT INTO doubt VALUES (1, 'first'), (2, 'first')});
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'first' FROM generate_series(1, 300) i});
$cluster->assert_converged;

# ---------------------------------------------------------- a minority cannot
my @links = ([ 1, 3 ], [ 1, 4 ], [ 2, 3 ], [ 2, 4 ]);
$cluster->cut_link(@$_) foreach @links;
my ($state, $message) = $cluster->error_of(1, q{SELECT topgun.evict('node3')});
is($state, 'TG011', 'half of the members cannot evict');
like($message, qr/node "node4": .*\n/, 'the error names who has not voted, and why');
like($message, qr/Of 4 members 3 must vote/, 'and how many must');
$cluster->heal_link(@$_) foreach @links;
is(view_of(1), "4 $all", 'no view was decided');
is(($cluster->error_of(1, q{SELECT topgun.evict('node1')}))[0], '22023', 'nobody evicts himself');
is(($cluster->error_of(1, q{SELECT topgun.evict('nobody')}))[0], '42704', 'nor one that is not there');
is(($cluster->error_of(1, q{SELECT topgun.evict(NULL)}))[0], '22004', 'nor nobody');

# ------------------------------------- the one that is away, and comes back
# Node 3 has rows that are deleted while it is away, and writes meanwhile.
$cluster->wait_for_sync or die 'not in sync';
$cluster->cut_node(3);
$cluster->sql(3, q{UPDATE doubt SET v = 'changed on 3'});
$cluster->sql(3, q{UPDATE kv SET v = 'changed on 3' WHERE id = 250});
is($cluster->sql(1, q{SELECT topgun.evict('node3')}), '5', 'the others evict a node that is away');
knows($_, '5 ' . but('node3')) foreach 1, 2, 4;
is($cluster->sql(1, q{SELECT string_agg(name, ' ') FROM topgun.node WHERE state = 'evicted'}), 'node3', 'the address book says so');
$cluster->sql(2, q{DELETE FROM kv WHERE id <= 100; DELETE FROM doubt});
ok( $cluster->wait_until($_, 'SELECT count(*) = 0 FROM topgun.tombstone WHERE table_id >= 16'),
	"node $_ does not wait for it with its tombstones") foreach 1, 2, 4;
is($cluster->sql(1, q{SELECT count(*) FROM topgun.stat_peer WHERE name = 'node3'}), '0', 'it is no peer any more');
is($cluster->sql(3, 'SELECT count(*) FROM kv WHERE id <= 100'), '100', 'the node has the rows');
$cluster->sql(3, q{INSERT INTO kv VALUES (1001, 'new on 3')});
$cluster->heal_node(3);
knows(3, '5 ' . but('node3'));
is(($cluster->error_of(3, q{INSERT INTO kv VALUES (1002, 'fenced')}))[0], 'TG001', 'it is fenced: it learns of it when it is back');
is($cluster->sql(1, 'SELECT count(*) FROM kv WHERE id IN (1001, 1002)'), '0', 'nobody takes anything from it');
is($cluster->sql(3, 'SELECT count(*) FROM kv WHERE id <= 100'), '100', 'and it gets nothing');

is($cluster->sql(3, 'SELECT topgun.rejoin()'), '6', 'it comes back');
knows($_, "6 $all") foreach 1 .. 4;
is_back(3);
like(slurp_file($cluster->node(3)->logfile), qr/came back to node "node1"/, 'as its log says');
$cluster->assert_converged('topgun.node', 'topgun.replicated_table', 'kv');
is($cluster->sql($_, 'SELECT count(*) FROM kv WHERE id <= 100'), '0', "what was deleted stays deleted: node $_") foreach 1 .. 4;
is($cluster->sql($_, q{SELECT v FROM kv WHERE id = 1001}), 'new on 3', "what it had written lives: node $_") foreach 1 .. 4;
is($cluster->sql($_, q{SELECT v FROM kv WHERE id = 250}), 'changed on 3', "its update as well: node $_") foreach 1 .. 4;
is($cluster->sql($_, q{SELECT count(*), min(sqlstate), max(sqlstate) FROM topgun.quarantine}), '2|TG010|TG010',
	"what it wrote to rows that were deleted is put aside: node $_") foreach 1, 2, 4;
is($cluster->sql($_, 'SELECT count(*) FROM doubt'), '0', "and not in the table: node $_") foreach 1, 2, 4;
$cluster->sql(3, q{UPDATE doubt SET v = 'kept' WHERE id = 1; DELETE FROM doubt WHERE id = 2});
$cluster->assert_converged;
is($cluster->sql($_, 'SELECT id, v FROM doubt'), '1|kept', "until somebody decides there: node $_") foreach 1, 2, 4;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.quarantine'), '0', "then nothing is left aside: node $_") foreach 1, 2, 4;
$cluster->sql(3, q{INSERT INTO kv VALUES (1003, 'again')});
ok($cluster->wait_until($_, 'SELECT count(*) = 1 FROM kv WHERE id = 1003'), "it writes again, and node $_ gets it") foreach 1, 2, 4;

# ------------------------------------- a proposer dies between votes and decision
$cluster->failpoint(1, 'view-before-decision', 'crash');
my $log = -s $cluster->node(1)->logfile;
$cluster->node(1)->psql('postgres', q{SELECT topgun.evict('node4')});
$cluster->wait_restarted(1, $log);
is(view_of($_), "6 $all", "node $_ has not heard of a decision") foreach 1, 2, 3;
is($cluster->sql(2, q{SELECT topgun.evict('node3')}), '8', 'who proposes next sees the vote through, and then his own');
is($cluster->sql(2, q{SELECT array_to_string(members, ',') FROM topgun.epoch_history WHERE epoch = 7}),
	but('node4'), 'it is the view that was voted for');
knows($_, '8 node1,node2') foreach 1, 2;
is($cluster->sql($_, 'SELECT topgun.rejoin()'), 6 + $_, "node $_ comes back") foreach 3, 4;
knows($_, "10 $all") foreach 1 .. 4;
is_back($_) foreach 3, 4;
$cluster->assert_converged;

# --------------------------------------------- two changes on two members at a time
my @changes = map { start($_->[0], "SELECT topgun.evict('$_->[1]')") } [ 1, 'node3' ], [ 2, 'node4' ];
is(join(' ', sort { $a <=> $b } map { finish($_) } @changes), '11 12', 'both are made, one after the other');
knows($_, '12 node1,node2') foreach 1, 2;

# ------------------------------------------------------------------ two nodes
$cluster->node(2)->stop('fast');
($state, $message) = $cluster->error_of(1, q{SELECT topgun.evict('node2')});
is($state, 'TG011', 'one of two nodes is no majority');
like($message, qr/HINT:.*force => true/, 'the hint says what there is to do');
is($cluster->sql(1, q{SELECT topgun.evict('node2', force => true)}), '13', 'an operator may force it');
is($cluster->sql(1, 'SELECT forced FROM topgun.epoch_history WHERE epoch = 13'), 't', 'which is remembered');
$cluster->sql(1, q{INSERT INTO kv VALUES (1004, 'alone')});
$cluster->node(2)->start;
knows(2, '13 node1');
is($cluster->sql(2, 'SELECT topgun.rejoin()'), '14', 'it comes back');
knows($_, '14 node1,node2') foreach 1, 2;
is_back(2);

# Both sides force: they exchange nothing until one gives in.
$cluster->cut_link(1, 2);
$cluster->sql(1, q{SELECT topgun.evict('node2', true)});
$cluster->sql(2, q{SELECT topgun.evict('node1', true)});
$cluster->sql($_, "INSERT INTO kv VALUES (200$_, 'on $_ alone')") foreach 1, 2;
$cluster->heal_link(1, 2);
is(view_of($_), "15 node$_", "node $_ keeps its own view") foreach 1, 2;
is($cluster->sql(2, 'SELECT topgun.rejoin()'), '16', 'one gives in');
knows($_, '16 node1,node2') foreach 1, 2;
$cluster->sql($_, 'SELECT topgun.rejoin()') foreach 3, 4;
is_back($_) foreach 2, 3, 4;
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM kv WHERE id IN (2001, 2002)'), '2', 'what both have written is there');

# ---------------------------------------------------------------------- leave
$cluster->sql(4, q{INSERT INTO kv VALUES (3001, 'the last of node 4')});
$cluster->sql(4, 'SELECT topgun.leave()');
knows($_, '19 ' . but('node4')) foreach 1 .. 3;
is($cluster->sql($_, 'SELECT count(*) FROM kv WHERE id = 3001'), '1', "node $_ has what it had written") foreach 1 .. 3;
is($cluster->sql(4, q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'kv'::regclass AND attname = 'topgun_stamp'}),
	'0', 'its table has no stamps any more');
is($cluster->sql(4, q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'kv'::regclass}), '0', 'and no triggers');
is($cluster->sql(4, 'SELECT count(*) FROM topgun.local_node'), '0', 'the database is no node');
$cluster->sql(4, q{INSERT INTO kv VALUES (3002, 'on its own')});
is($cluster->sql(4, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'topgun%' AND backend_type <> 'topgun launcher'}),
	'0', 'its workers have gone');
assert_converged_on(1, 2, 3);

# The view changes while it does: it has been admitted, and begins anew.
$cluster->failpoint(4, 'join-after-view', 'pause');
$log = -s $cluster->node(4)->logfile;
my $join = start(4, sprintf(q{SELECT topgun.join('node4', %s, %s)}, map { TopGun::Cluster::quote($cluster->dsn($_)) } 4, 2));
$cluster->node(4)->wait_for_log(qr/epoch 20 of the cluster: node "node4" joins/, $log);
is($cluster->sql(1, q{SELECT topgun.evict('node3')}), '21', 'one that is not there yet does not vote');
$cluster->failpoint(4, 'join-after-view', 'off');
is(finish($join), '5', 'it joins again, under a new id');
$cluster->wait_attached(4, 'kv');
is($cluster->sql(3, 'SELECT topgun.rejoin()'), '22', 'node 3 comes back');
knows($_, '22 ' . but('node4') . ',node4') foreach 1 .. 4;
is_back(3);
ok($cluster->wait_for_sync, 'all have all');
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM kv WHERE id = 3002'), '1', 'with what it has brought along');

$cluster->stop;
done_testing();
