# Which node to use: route(), pick_node(), endpoints().
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3);
$cluster->on_all(<<'END');
CREATE TABLE item (id bigint PRIMARY KEY, v text);
CREATE TABLE line (part numeric, place char(4), day date, v text, PRIMARY KEY (day, part, place));
CREATE TABLE flow (id float8 PRIMARY KEY);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE word (w text COLLATE nocase PRIMARY KEY);
CREATE TABLE plain (id int PRIMARY KEY);
END
$cluster->add_table($_) foreach 'item', 'line', 'flow', 'word';

sub route
{
	my ($i, $arguments) = @_;
	return $cluster->sql($i, "SELECT partition, name, backups FROM topgun.route($arguments)");
}

# ------------------------------------------------------------ all nodes agree
foreach my $table ('item', 'flow')
{
	my $query = "SELECT string_agg(r::text, E'\\n' ORDER BY i) FROM generate_series(1, 2000) i, topgun.route('$table', i) r";
	my @routes = map { $cluster->sql($_, $query) } 1 .. 3;
	ok($routes[0] eq $routes[1] && $routes[0] eq $routes[2], "$table: every node says the same of 2000 keys");
}
my @shares = split(/\n/, $cluster->sql(2, <<'END'));
SELECT count(*) FROM generate_series(1, 6000) i, topgun.route('item', i) r GROUP BY r.node_id ORDER BY 1
END
is(scalar(@shares), 3, 'each node owns a part');
cmp_ok($shares[0], '>', 1200, "none owns little: @shares");
like(route(1, q{'item', 1}), qr/^\d+\|node\d\|\{node\d,node\d\}$/, 'an owner and two backups');

# ------------------------------------------------- the same key, the same node
foreach my $same (
	[ q{'item', 42}, q{'item', '42'}, q{'item', 42::numeric}, q{'item', VARIADIC ARRAY['42']} ],
	[ q{'line', '2026-01-02', 1.0, 'ab'}, q{'line', date '2026-01-02', 1.00, 'ab  '}, q{'line', '02 Jan 2026', '1', 'ab'::bpchar} ],
	[ q{'flow', 0.0}, q{'flow', '-0'::float8}, q{'flow', 0} ],
	[ q{'word', 'straight'}, q{'word', 'STRAIGHT'}, q{'word', 'Straight'} ],
	[ q{'item', 42}, q{'public.item', 42} ])
{
	my ($first, @others) = @$same;
	is(route(3, $_), route(1, $first), "$_ goes where $first does") foreach @others;
}
isnt(join(' ', map { route(1, "'word', 'w$_'") } 1 .. 5), join(' ', (route(1, q{'word', 'w1'})) x 5),
	'keys that compare by a collation are spread, too');

# -------------------------------------------------------------------- mistakes
foreach my $mistake (
	[ q{'item', 1, 2}, '22023', qr/key of 1 columns, 2 values are given/ ],
	[ q{'line', '2026-01-02'}, '22023', qr/key of 3 columns/ ],
	[ q{'item', NULL}, '22004', qr/must not be null/ ],
	[ q{'item', 'one'}, '22P02', qr/invalid input syntax/ ],
	[ q{'plain', 1}, '55000', qr/not replicated/ ])
{
	my ($arguments, $state, $message) = @$mistake;
	my ($got, $text) = $cluster->error_of(1, "SELECT * FROM topgun.route($arguments)");
	is($got, $state, "route($arguments): SQLSTATE");
	like($text, $message, "route($arguments): message");
}
is(($cluster->error_of(1, q{SELECT topgun.pick_node('fastest')}))[0], '22023', 'a misspelt strategy is an error');

# --------------------------------------------------------- strings that connect
my $dsn = $cluster->sql(1, q{SELECT dsn FROM topgun.route('item', 1)});
my $name = $cluster->sql(1, q{SELECT name FROM topgun.route('item', 1)});
my $whoami = 'SELECT n.name FROM topgun.node n JOIN topgun.local_node l ON n.id = l.node_id';
my ($out, $err) = run_command([ 'psql', '-XAtq', '-d', $dsn, '-c', $whoami ]);
is($out, $name, 'the dsn leads to the owner');
my $endpoints = $cluster->sql(1, 'SELECT topgun.endpoints()');
($out, $err) = run_command([ 'psql', '-XAtq', '-d', $endpoints, '-c', $whoami ]);
is($out, 'node1', 'the endpoints lead to the first');

# --------------------------------------------------------------------- pick_node
sub picks
{
	my ($i, $strategy, $times) = @_;
	return [ split(/\n/, $cluster->sql($i,
		"SELECT name || ' ' || count(*) FROM (SELECT (topgun.pick_node('$strategy')).name FROM generate_series(1, $times)) p GROUP BY name ORDER BY name")) ];
}
$cluster->wait_until(1, q{SELECT count(*) = 2 FROM topgun.stat_peer WHERE state = 'streaming' AND last_heartbeat IS NOT NULL});
is_deeply(picks(1, 'round_robin', 30), [ 'node1 10', 'node2 10', 'node3 10' ], 'round_robin takes turns');
is(scalar(@{ picks(1, 'random', 300) }), 3, 'random takes all');
is_deeply(picks(2, 'nearest', 5), ['node2 5'], 'nearest is where one is');
is(scalar(@{ picks(1, 'sticky', 20) }), 1, 'sticky stays');
my %stuck = map { $cluster->sql(1, "SET application_name = 'app $_'; SELECT name FROM topgun.pick_node('sticky')") => 1 } 1 .. 20;
is(scalar(keys %stuck), 3, 'but not all clients at one node');
is($cluster->sql(1, q{SET application_name = 'app 7'; SELECT name FROM topgun.pick_node('sticky')}),
	$cluster->sql(3, q{SET application_name = 'app 7'; SELECT name FROM topgun.pick_node('sticky')}), 'wherever it asks');

$cluster->failpoint(2, 'puller-round', 'pause');
$cluster->sql(1, q{INSERT INTO item SELECT i, 'lag' FROM generate_series(1, 100) i});
$cluster->wait_until(1, q{SELECT bool_or(acknowledged_lag_ms > 0) FROM topgun.stat_peer WHERE name = 'node2'});
ok(!grep({ /node2/ } @{ picks(1, 'least_lag', 5) }), 'least_lag leaves out who is behind');
$cluster->failpoint(2, 'puller-round', 'off');

# ------------------------------------------------------- a node that is not there
$cluster->kill9_and_wait(3);
ok($cluster->wait_until(1, q{SELECT state = 'down' FROM topgun.stat_peer WHERE name = 'node3'}), 'node 3 is gone');
is_deeply(picks(1, 'round_robin', 30), [ 'node1 15', 'node2 15' ], 'who cannot be reached is not picked');
is(scalar(@{ picks(1, 'sticky', 20) }), 1, 'sticky goes on');
($out, $err) = run_command([ 'psql', '-XAtq', '-d', $cluster->sql(1, 'SELECT topgun.endpoints()'), '-c', $whoami ]);
is($out, 'node1', 'the endpoints still lead to somebody');
$cluster->node(3)->start;

# ----------------------------------------------------------- one node more
my $owners = 'SELECT DISTINCT ON (r.partition) r.partition, r.name FROM generate_series(1, 6000) i, topgun.route(\'item\', i) r ORDER BY r.partition';
my %before = map { split(/\|/, $_) } split(/\n/, $cluster->sql(1, $owners));
$cluster->make_node(4)->safe_psql('postgres', <<'END');
CREATE TABLE item (id bigint PRIMARY KEY, v text);
CREATE TABLE line (part numeric, place char(4), day date, v text, PRIMARY KEY (day, part, place));
CREATE TABLE flow (id float8 PRIMARY KEY);
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE word (w text COLLATE nocase PRIMARY KEY);
END
$cluster->join_node(4);
ok($cluster->wait_until(1, 'SELECT count(*) = 4 FROM topgun.node'), 'a fourth node');
my %after = map { split(/\|/, $_) } split(/\n/, $cluster->sql(1, $owners));
my @moved = grep { $before{$_} ne $after{$_} } keys %after;
is(scalar(grep { $after{$_} ne 'node4' } @moved), 0, 'partitions move to it, and to no other');
cmp_ok(scalar(@moved), '<', 271 / 2, scalar(@moved) . ' of 271 have moved');
cmp_ok(scalar(@moved), '>', 271 / 8, 'it has its share');

$cluster->assert_converged;
$cluster->stop;
done_testing();
