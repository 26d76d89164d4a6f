# Tombstones go when nobody needs them, and not before; rows that come late do
# not come back to life; the journal is cut for those who are away too long.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, links => 1, settings => <<'END');
topgun.tombstone_retention = 0
topgun.repair_interval = 0
topgun.journal_segment_size = '64kB'
topgun.fold_interval = '200ms'
END
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');

# ------------------------------------------------------------ what they ask
# Tombstones of the table that stand on a node.
sub tombstones
{
	my ($i) = @_;
	return $cluster->sql($i, 'SELECT count(*) FROM topgun.tombstone WHERE table_id >= 16');
}

sub collected
{
	my ($i, $seconds) = @_;
	return $cluster->wait_until($i,
		'SELECT count(*) = 0 FROM topgun.tombstone WHERE table_id >= 16', $seconds // 60);
}

sub set
{
	my ($i, $setting, $value) = @_;
	$cluster->sql($i, "ALTER SYSTEM SET $setting = '$value'");
	$cluster->sql($i, 'SELECT pg_reload_conf()');
	return;
}

sub row_of
{
	my ($i, $id) = @_;
	return $cluster->sql($i, "SELECT v FROM kv WHERE id = $id");
}

sub log_of
{
	my ($i) = @_;
	return PostgreSQL::Test::Utils::slurp_file($cluster->node($i)->logfile);
}

# ------------------------------------------------------------- the plain case
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'first' FROM generate_series(1, 2000) i});
$cluster->wait_for_sync;
is($cluster->sql(1, 'SELECT gc_floor IS NULL FROM topgun.gc_state'), 't', 'nothing was collected yet');
$cluster->sql(1, q{DELETE FROM kv WHERE id <= 1000});
$cluster->sql(2, q{DELETE FROM kv WHERE id BETWEEN 1001 AND 1100});
$cluster->wait_for_sync;
ok(collected($_), "node $_ collects what all have") foreach 1 .. 3;
is( $cluster->sql($_, 'SELECT gc_floor IS NOT NULL AND gc_floor OPERATOR(topgun.<) topgun.current_stamp() FROM topgun.gc_state'),
	't', "the floor of node $_ is known") foreach 1 .. 3;

# --------------------------------------------------- deleted and written again
foreach my $round (1 .. 5)
{
	$cluster->sql(1 + $round % 3, "INSERT INTO kv VALUES (1, 'round $round')");
	$cluster->wait_for_sync;
	$cluster->sql(1 + ($round + 1) % 3, 'DELETE FROM kv WHERE id = 1');
	$cluster->wait_for_sync;
}
$cluster->sql(2, q{INSERT INTO kv VALUES (1, 'stays')});
$cluster->wait_for_sync;
ok(collected($_), "a tombstone beside a living row goes, too: node $_") foreach 1 .. 3;
is(row_of($_, 1), 'stays', "the row stays on node $_") foreach 1 .. 3;
$cluster->assert_converged;

# ------------------------------------------------------------------ retention
# There is a sweep every ten seconds.
set(1, 'topgun.tombstone_retention', '13s');
$cluster->sql(1, 'DELETE FROM kv WHERE id = 1200');
$cluster->wait_for_sync;
sleep(11);
is(tombstones(1), '1', 'the retention is respected');
ok(collected(2), 'on its node only');
ok(collected(1), 'in the end it is over');

# -------------------------------------------------- a restart: nothing is known
set(1, 'topgun.tombstone_retention', '1h');
$cluster->sql(2, 'DELETE FROM kv WHERE id BETWEEN 1201 AND 1210');
$cluster->wait_for_sync;
ok(collected($_), "node $_ has done with them") foreach 2, 3;
is(tombstones(1), '10', 'node 1 keeps them');
$cluster->cut_link(1, 3);
$cluster->node(1)->restart;
set(1, 'topgun.tombstone_retention', '0');
$cluster->wait_until(1, q{SELECT count(*) = 1 FROM topgun.stat_peer WHERE node_id = 2 AND state = 'streaming'});
sleep(4);
is(tombstones(1), '10', 'after a restart nothing is collected until every member has told anew');
$cluster->heal_link(1, 3);
ok(collected(1), 'then it is');

# ----------------------------------------------------------------- unverified
my $session = $cluster->node(1)->background_psql('postgres');
$session->query_safe(q{BEGIN; CREATE TEMP TABLE holder AS SELECT txid_current()});
is($cluster->sql(1, q{SELECT topgun_internal.merge_row(ROW(-5, '', topgun_stamp)::kv, true) FROM kv WHERE id = 1}),
	'applied', 'the deletion of an absent key is merged');
$cluster->sql(1, 'DELETE FROM kv WHERE id = 1300');
$cluster->wait_for_sync;
sleep(4);
is(tombstones(1), '2', 'neither an unverified deletion nor a newer one is collected');
ok(collected(3), 'a node that has nothing to verify goes on');
$session->query_safe('COMMIT');
$session->quit;
ok(collected(1), 'once it is verified, it is');

# ------------------------------------------------------ rows that come too late
# One that this node has had, from a node that it knows: it was deleted.
my $stamp = $cluster->sql(2, q{INSERT INTO kv VALUES (5000, 'short life') RETURNING topgun_stamp});
$stamp =~ s/\n.*//s;
$cluster->wait_for_sync;
$cluster->sql(2, 'DELETE FROM kv WHERE id = 5000');
$cluster->wait_for_sync;
ok(collected($_), "node $_ has forgotten the row") foreach 1 .. 3;
is($cluster->sql(1, "SELECT topgun_internal.merge_row(ROW(5000, 'zombie', '$stamp')::kv)"),
	'older', 'what was here once is dropped');
is(row_of(1, 5000), '', 'and stays away');

# One of a node that has left, or never was: nobody knows.
(my $foreign = $stamp) =~ s/\@2$/\@77/;
is($cluster->sql(1, "SELECT topgun_internal.merge_row(ROW(5001, 'who knows', '$foreign')::kv)"),
	'quarantined', 'what may have been here is put aside');
is($cluster->sql(1, 'SELECT sqlstate FROM topgun.quarantine'), 'TG010', 'as doubtful');
is($cluster->sql(1, "SELECT topgun_internal.merge_row(ROW(5001, 'who knows', '$foreign')::kv)"),
	'equal', 'once more, and it is the same');
$cluster->sql(1, q{UPDATE topgun.quarantine SET last_try = '2000-01-01', tries = 1});
ok($cluster->wait_until(1, q{SELECT tries > 1 AND sqlstate = 'TG010' FROM topgun.quarantine}), 'trying again is no way round');
is(row_of($_, 5001), '', "the row is not on node $_") foreach 1 .. 3;
$cluster->sql(1, q{INSERT INTO kv VALUES (5001, 'anew')});
is($cluster->sql(1, "SELECT topgun_internal.merge_row(ROW(5001, 'newer', topgun.current_stamp())::kv)"),
	'applied', 'a newer version replaces it');
is($cluster->sql(1, 'SELECT count(*) FROM topgun.quarantine'), '0', 'in quarantine, too');

# A row that waits in quarantine for good reason is older than the floor when
# the reason is gone.  It was not deleted, and it comes in.
$cluster->sql(1, 'CREATE UNIQUE INDEX only_here ON kv (v) WHERE id >= 6000');
$cluster->sql(1, q{INSERT INTO kv VALUES (6000, 'wanted')});
$cluster->wait_for_sync;
$cluster->sql(2, q{INSERT INTO kv VALUES (6001, 'wanted')});
ok($cluster->wait_until(1, q{SELECT count(*) = 1 FROM topgun.quarantine WHERE sqlstate = '23505'}),
	'a unique value is in the way');
$cluster->sql(2, 'DELETE FROM kv WHERE id = 1400');
$cluster->wait_for_sync;
ok(collected(1), 'collection goes on');
$cluster->sql(1, 'DROP INDEX only_here');
$cluster->sql(1, q{UPDATE topgun.quarantine SET last_try = '2000-01-01', tries = 1});
ok($cluster->wait_until(1, q{SELECT count(*) = 1 FROM kv WHERE id = 6001}), 'the row comes in when it can');
$cluster->assert_converged;

# The tombstone is collected while a merge is between its look and its insertion.
set($_, 'topgun.tombstone_retention', '1h') foreach 1 .. 3;
$stamp = $cluster->sql(2, q{INSERT INTO kv VALUES (5002, 'raced') RETURNING topgun_stamp});
$stamp =~ s/\n.*//s;
$cluster->wait_for_sync;
$cluster->sql(2, 'DELETE FROM kv WHERE id = 5002');
$cluster->wait_for_sync;
$cluster->failpoint(1, 'merge-before-insert', 'pause');
$session = $cluster->node(1)->background_psql('postgres');
$session->query_until(qr/go/, "\\echo go\nSELECT topgun_internal.merge_row(ROW(5002, 'raced', '$stamp')::kv);\n");
$cluster->wait_until(1, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%raced%' AND state = 'active' AND pid <> pg_backend_pid()});
sleep(0.5);
set(1, 'topgun.tombstone_retention', '0');
ok(collected(1), 'the tombstone goes while the merge waits');
$cluster->failpoint(1, 'merge-before-insert', 'off');
like($session->query(q{SELECT 'done'}), qr/done/, 'the merge ends');
$session->quit;
is(row_of(1, 5002), '', 'and sees that it has come too late');
set($_, 'topgun.tombstone_retention', '0') foreach 2, 3;
$cluster->assert_converged;

# --------------------------------------------------------- a member that is away
$cluster->cut_node(3);
$cluster->sql(1, q{DELETE FROM kv WHERE id BETWEEN 1500 AND 1599});
$cluster->sql(3, q{UPDATE kv SET v = 'still here' WHERE id = 1700});
$cluster->sql(1, 'CREATE TABLE other (i int); CREATE PROCEDURE burn() LANGUAGE plpgsql AS
	$$BEGIN FOR i IN 1..3000 LOOP INSERT INTO other VALUES (i); COMMIT; END LOOP; END$$; CALL burn()');
sleep(5);
is(tombstones($_), '100', "node $_ collects nothing while a member is away") foreach 1, 2;
is($cluster->sql(1, 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot holds back WAL');
is( $cluster->sql(1, q{SELECT coalesce(max(age(backend_xmin)), 0) < 100 FROM pg_stat_activity WHERE pid <> pg_backend_pid()}),
	't', 'no snapshot holds back vacuum');
is(row_of(3, 1550), 'first', 'the node that is away has the rows');
$cluster->heal_node(3);
$cluster->assert_converged;
is(row_of(3, 1550), '', 'they do not come back with it');
is(row_of(1, 1700), 'still here', 'what it has written does');
ok(collected($_), "node $_ goes on collecting") foreach 1 .. 3;

# ------------------------------------------------------- the journal, by size
# Nothing is cut that the trees do not have.
sub journal_kb { my ($i) = @_; return $cluster->sql($i, 'SELECT journal_bytes / 1024 FROM topgun.status'); }
my $grow = q{UPDATE kv SET v = v || '.' WHERE id BETWEEN 1600 AND 1900};
set(1, 'topgun.journal_max_size', '512kB');
$cluster->failpoint(1, 'fold-before-commit', 'error');
$cluster->sql(1, join(';', ($grow) x 200));
$cluster->wait_for_sync;
sleep(3);
cmp_ok(journal_kb(1), '>', 768, 'the cut does not pass the folder');
is( $cluster->sql(1, 'SELECT coalesce(cut OPERATOR(topgun.<=) position, true) FROM topgun.journal_state, topgun.fold_state'),
	't', 'as positions say');
$cluster->failpoint(1, 'fold-before-commit', 'off');
ok($cluster->wait_until(1, 'SELECT journal_bytes < 768 * 1024 FROM topgun.status'), 'once it has gone on, the journal is cut');

# A cut that fails in the middle has cut nothing: who is behind it can read on.
# With changes it stores its place, which is behind all earlier cuts then.
$cluster->failpoint(1, 'cut-before-commit', 'error');
$cluster->sql(1, $grow);
$cluster->wait_for_sync;
$cluster->cut_node(3);
$cluster->sql(1, join(';', ($grow) x 100));
for (1 .. 300)
{
	last if log_of(1) =~ /failpoint "cut-before-commit" reached/;
	sleep(0.1);
}
like(log_of(1), qr/failpoint "cut-before-commit" reached/, 'a cut fails');
$cluster->heal_node(3);
$cluster->assert_converged('kv');
unlike(log_of($_), qr/TG006/, "node $_ is not refused what is there") foreach 2, 3;
$cluster->failpoint(1, 'cut-before-commit', 'off');
ok( $cluster->wait_until(1, 'SELECT journal_bytes < 768 * 1024 FROM topgun.status'), 'the cut is made again');

# What a peer acknowledges lags behind what it has: wait, and for the janitor to
# see it, so that only the one that is away is behind from here on.
$cluster->wait_until(1, q{SELECT bool_and(acknowledged_position OPERATOR(topgun.>=) cut)
	FROM topgun.stat_peer, topgun.journal_state});
sleep(2);
my $logged = -s $cluster->node(1)->logfile;
$cluster->cut_node(3);
$cluster->sql(1, join(';', ($grow) x 400));
ok($cluster->wait_until(1, 'SELECT journal_bytes < 768 * 1024 FROM topgun.status'),
	'the journal does not grow beyond its size, though a member is away');
my $said = PostgreSQL::Test::Utils::slurp_file($cluster->node(1)->logfile, $logged);
like($said, qr/the journal was cut before it was read by .*"node3"/, 'the log names who is left behind');
is(scalar(() = $said =~ /read by .*"node3"/g), 1, 'once');
$cluster->wait_until(2, q{SELECT topgun.wait_for_sync('1 s') IS NOT NULL});
unlike(log_of(2), qr/TG006/, 'a member that is there does not notice');
$cluster->heal_node(3);
ok($cluster->wait_until(3, q{SELECT last_error LIKE '%journal has been cut%' FROM topgun.stat_peer WHERE node_id = 1}),
	'who comes back is told');
like(log_of(3), qr/TG006/, 'with a SQLSTATE of its own');
$cluster->assert_converged;

# -------------------------------------------------------- the journal, by age
set(1, 'topgun.journal_max_size', '1GB');
set(1, 'topgun.journal_retention', '2s');
$cluster->cut_node(3);
$cluster->sql(1, $grow);
my $written = $cluster->sql(1, 'SELECT last_position FROM topgun.status');
ok( $cluster->wait_until(1, "SELECT cut OPERATOR(topgun.>=) '$written' FROM topgun.journal_state"),
	'what is old is cut, though a member is away');
$cluster->heal_node(3);
$cluster->assert_converged;
set(1, 'topgun.journal_retention', '1h');

# ------------------------------------------------------ a member that is evicted
$cluster->cut_node(3);
$cluster->sql(2, q{DELETE FROM kv WHERE id BETWEEN 1800 AND 1809});
sleep(3);
is(tombstones($_), '10', "node $_ waits for the member") foreach 1, 2;
$cluster->sql(1, q{SELECT topgun.evict('node3')});
ok(collected($_), "node $_ does not wait for one that was evicted") foreach 1, 2;
$cluster->node(3)->stop;
$cluster->assert_converged;

$cluster->stop;
done_testing();
