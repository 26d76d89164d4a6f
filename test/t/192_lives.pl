# A copy of a node beside the original, and a node restored from a backup: both
# are recognized and fenced; the restored one comes back by rejoin().  The copy
# does not descend from the life that answers for the node.  A restored node
# does, only its clock is older than what was known of it; which is so as soon
# as the node has lived for longer than the reserve of its clock, two seconds,
# after the backup.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

# Take a backup, and let the clock of the node outrun what it had reserved then.
sub back_up
{
	my ($cluster, $i) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$cluster->node($i)->backup('old');
	my $backup = $cluster->sql($i, 'SELECT clock_timestamp()');
	ok($cluster->wait_until($i, "SELECT clock_timestamp() > '$backup'::timestamptz + interval '3 s'"), 'its clock has gone on');
	return;
}

# Put the backup in the place of the node.
sub put_back
{
	my ($node) = @_;
	$node->stop('fast');
	rename($node->data_dir, $node->data_dir . '.lost') or die "could not rename: $!";
	PostgreSQL::Test::RecursiveCopy::copypath($node->backup_dir . '/old', $node->data_dir);
	chmod(0700, $node->data_dir);
	$node->start;
	return;
}

my $cluster = TopGun::Cluster->new(3, settings => "topgun.confirmation_timeout = '2s'\n");
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'before the backup' FROM generate_series(1, 10) i});
$cluster->assert_converged;

my $heard = q{SELECT count(*) = 2 AND bool_and(last_heartbeat IS NOT NULL) FROM topgun.stat_peer};
ok($cluster->wait_until($_, $heard), "node $_ knows its peers") foreach 1 .. 3;

# -------------------------------------------------- every start is another life
my $lives = q{SELECT max(counter) FROM topgun.incarnation};
my $life = $cluster->sql(2, $lives);
$cluster->node(2)->restart;
ok($cluster->wait_until(2, "SELECT ($lives) = $life + 1"), 'a restart is a new life');
ok($cluster->wait_until(1, q{SELECT counter = } . ($life + 1)
	  . q{ FROM topgun.peer_incarnation WHERE node_id = 2}), 'which is accepted');
$cluster->kill9_postmaster(2);
ok($cluster->wait_until(1, q{SELECT counter = } . ($life + 2)
	  . q{ FROM topgun.peer_incarnation WHERE node_id = 2}), 'so is that after a crash');
$cluster->sql(2, q{UPDATE kv SET v = 'after a crash' WHERE id = 1});
$cluster->assert_converged;

back_up($cluster, 3);
$cluster->sql(3, q{INSERT INTO kv VALUES (11, 'after the backup')});
$cluster->sql(1, 'DELETE FROM kv WHERE id = 2');
$cluster->assert_converged;

# ------------------------------------------------------ a copy beside the original
my $epoch = $cluster->sql(1, 'SELECT topgun.epoch()');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($cluster->node(3), 'old');
$copy->start;
ok($copy->poll_query_until('postgres', q{SELECT state = 'fenced' FROM topgun.status}),
	'a copy that is started beside the original is fenced');
my ($code, $out, $error) = $copy->psql('postgres', "\\set VERBOSITY verbose\nINSERT INTO kv VALUES (50, 'of a copy')");
like($error, qr/ERROR:\s+TG001:/, 'it takes no writes');
like(slurp_file($copy->logfile), qr/WARNING:.*this node is fenced/, 'its log says why');
is($copy->safe_psql('postgres', 'SELECT count(*) FROM kv'), '10', 'it gets nothing');
$cluster->sql(3, q{INSERT INTO kv VALUES (12, 'of the original')});
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT topgun.epoch()'), $epoch, 'the original stays a member');
is($cluster->sql(3, 'SELECT state FROM topgun.status'), 'active', 'which is not fenced');
is($cluster->sql(1, q{SELECT count(*) FROM kv WHERE v = 'of a copy'}), '0', 'nothing of the copy is anywhere');
$copy->stop('immediate');

# ------------------------------------------------- the original is put back as it was
put_back($cluster->node(3));
ok($cluster->wait_until(3, q{SELECT state = 'fenced' FROM topgun.status}), 'a restored node is fenced');
my ($state, $message) = $cluster->error_of(3, q{INSERT INTO kv VALUES (51, 'of the past')});
is($state, 'TG001', 'and takes no writes');
like(slurp_file($cluster->node(1)->logfile) . slurp_file($cluster->node(2)->logfile),
	qr/WARNING:.*node 3 is refused.*restored from a backup/s, 'its peers say why');
ok($cluster->wait_until(1, "SELECT topgun.epoch() > $epoch"), 'it is removed, as if it were not there');
$cluster->sql(1, q{INSERT INTO kv VALUES (13, 'without node 3')});

ok($cluster->wait_until(3, q{SELECT topgun.rejoin() IS NOT NULL}), 'rejoin() brings it back');
ok($cluster->wait_until($_, q{SELECT count(*) = 3 AND bool_and(state = 'active') FROM topgun.node}),
	"node $_ knows all members") foreach 1 .. 3;
$cluster->sql(3, q{INSERT INTO kv VALUES (14, 'as a member again')});
$cluster->assert_converged;
is($cluster->sql(3, 'SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM kv'), '1,3,4,5,6,7,8,9,10,11,12,13,14',
	'it has what it had lost, and not what was deleted');

# A restart of the restored node is an ordinary one.
$cluster->node(3)->restart;
$cluster->sql(3, q{INSERT INTO kv VALUES (15, 'once more')});
$cluster->assert_converged;

$cluster->stop;

# ------------------------------ a refusal outlives restarts of either side
# Of two nodes none is removed by itself, so all depends on what is refused.
$cluster = TopGun::Cluster->new(2);
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv VALUES (1, 'before the backup')});
$cluster->assert_converged;
ok($cluster->wait_until(1, 'SELECT count(*) = 1 FROM topgun.peer_incarnation WHERE node_id = 2'), 'node 1 knows node 2');
my $node = $cluster->node(2);
back_up($cluster, 2);
$cluster->sql(2, q{INSERT INTO kv VALUES (2, 'after the backup')});
$cluster->assert_converged;

put_back($node);
ok($cluster->wait_until(2, q{SELECT state = 'fenced' FROM topgun.status}), 'a restored node is fenced');
ok($cluster->wait_until(1, q{SELECT refused <> '' FROM topgun.peer_incarnation WHERE node_id = 2}), 'the refusal is stored');
$cluster->node(1)->restart;
$node->restart;
ok($cluster->wait_until(2, q{SELECT state = 'fenced' FROM topgun.status}), 'started once more, both of them, it still is');
is(($cluster->error_of(2, q{INSERT INTO kv VALUES (3, 'of the past')}))[0], 'TG001', 'and takes no writes');
$cluster->sql(1, q{INSERT INTO kv VALUES (4, 'of node 1')});
is($cluster->sql(2, 'SELECT count(*) FROM kv'), '1', 'it gets nothing');
ok($cluster->wait_until(2, q{SELECT topgun.rejoin() IS NOT NULL}), 'rejoin() brings it back');
ok($cluster->wait_until(1, q{SELECT refused = '' FROM topgun.peer_incarnation WHERE node_id = 2}), 'and the refusal is over');
$node->restart;
ok($cluster->wait_until(2, q{WITH w AS (INSERT INTO kv VALUES (5, 'as a member') ON CONFLICT (id) DO UPDATE SET v = excluded.v RETURNING id)
	SELECT count(*) = 1 FROM w}), 'it writes again, also after a restart');
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM kv'), '1,2,4,5', 'and has what it had lost');

$cluster->stop;
done_testing();
