# Copies of tables, by a join and when a table has been out of step: keys and
# rows of all kinds, while everybody writes and a member is down; whoever is
# killed meanwhile, the copy goes on with what is left.
use strict;
use warnings;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;

# No repair mends what a copy has left out, and who is down stays a member.
my $cluster = TopGun::Cluster->new(4, join => 0, settings => "topgun.repair_interval = 0\ntopgun.confirmation_timeout = '1h'");
$cluster->on_all(<<'END');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE big (id int PRIMARY KEY, v text);
CREATE TABLE pair (a text COLLATE nocase, b int, c text COLLATE "C", v text, PRIMARY KEY (c, b, a));
CREATE TABLE ids (id uuid PRIMARY KEY, n numeric);
CREATE TABLE part (id numeric, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_1 (v text, day date NOT NULL, id numeric NOT NULL);
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE nothing (id int PRIMARY KEY);
CREATE TABLE wide (id bigint PRIMARY KEY, v text);
CREATE TABLE storm (id int PRIMARY KEY, v int, src text);
ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
END
$cluster->create_cluster(1);
my @tables = ('big', 'pair', 'ids', 'part', 'nothing', 'wide', 'storm');
$cluster->call(1, 'topgun.add_table', $_) foreach @tables;
$cluster->sql(1, <<'END');
INSERT INTO big SELECT i, repeat('x', 150) FROM generate_series(1, 20000) i;
DELETE FROM big WHERE id % 100 = 0;
INSERT INTO pair SELECT CASE WHEN i % 2 = 0 THEN 'Key' ELSE 'kEy' END || i, i % 7, 'c' || i % 3, repeat('y', 100)
	FROM generate_series(1, 6000) i;
INSERT INTO ids SELECT gen_random_uuid(), i FROM generate_series(1, 8000) i;
INSERT INTO part SELECT i / 10.0, '2026-01-31'::date + i % 2, repeat('z', 100) FROM generate_series(1, 6000) i;
INSERT INTO wide SELECT i, repeat(md5(i::text), 3000) FROM generate_series(1, 12) i;
END
$cluster->join_node($_) foreach 2, 3;
$cluster->wait_attached(2, $_) foreach @tables;
{
	local $cluster->{count} = 3;    # node 4 is no member yet
	is($cluster->differences, '', 'a join copies all rows');
}
is($cluster->sql(2, q{SELECT string_agg((SELECT count(*) FROM topgun.tombstone WHERE table_id = r.id)::text, ',')
	FROM topgun.replicated_table r WHERE table_name = 'big'}), '200', 'and tombstones');
is($cluster->sql(2, 'SELECT count(*) FROM topgun.copy_range'), '0', 'no range is left');

# ------------------------------------------------------------------- refusals

is(($cluster->error_of(4, q{BEGIN; SELECT topgun.join('node4', 'host=x', 'host=x')}))[0], '25001',
	'not inside a transaction block');
$cluster->node(4)->append_conf('postgresql.conf', 'max_worker_processes = 1');
$cluster->node(4)->restart;
is(($cluster->error_of(4, "SELECT topgun.join('node4', '" . $cluster->dsn(4) . "', '" . $cluster->dsn(1) . "')"))[0],
	'53000', 'no process for the join');
is($cluster->sql(4, 'SELECT count(*) FROM topgun.local_node'), '0', 'and nothing has changed');
$cluster->node(4)->append_conf('postgresql.conf', 'max_worker_processes = 32');
$cluster->node(4)->restart;

# ------------------------------- a join under load, with a member down, and kills

sub start_psql
{
	my ($i, $sql) = @_;
	my %call = (out => '', err => '');
	$call{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $cluster->node($i)->connstr('postgres'), '-c', $sql ],
		'<', \undef, '>', \$call{out}, '2>', \$call{err});
	return \%call;
}

sub start_join
{
	return start_psql(4, "SELECT topgun.join('node4', '" . $cluster->dsn(4) . "', '" . $cluster->dsn(1) . "')");
}

sub wait_progress
{
	my ($condition) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $good = $cluster->wait_until(4, "SELECT count(*) = 1 FROM topgun.progress WHERE kind = 'copy' AND relation = 'big'::regclass AND $condition");
	diag($cluster->sql(4, 'SELECT * FROM topgun.progress; SELECT * FROM topgun.table_state')) if !$good;
	return $good;
}

$cluster->sql(4, q{INSERT INTO big SELECT i, 'only here' FROM generate_series(19901, 20100) i});
$cluster->node(2)->stop('immediate');
$cluster->{storm_keys} = 200;
my $storms = $cluster->start_storm(6, 1);
# The copy alone brings rows, until node 4 is killed: journals may have them, too.
$cluster->failpoint(4, 'puller-round', 'pause');
$cluster->failpoint(4, 'copy-step', 'pause');
my $join = start_join();
$cluster->wait_until(4, q{SELECT count(*) = 7 FROM topgun.table_state WHERE state = 'copying'})
  or die 'the join does not begin';
push @$storms, @{ $cluster->start_storm(5, 4) };
like($cluster->sql(4, q{SELECT count(*), max(state) FROM topgun.stat_table WHERE copy_from = 1}), qr/^7\|copying/, 'all tables wait to be copied');
ok($cluster->wait_until(4, q{SELECT count(*) = 1 FROM topgun.stat_worker WHERE kind = 'copier'}), 'there is a copier');

# One range cannot be copied while somebody writes one of its keys.
my $writer = start_psql(4, q{BEGIN; INSERT INTO big VALUES (19899, 'held'); SELECT pg_sleep(1000)});
$cluster->wait_until(4, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'held' AND wait_event = 'PgSleep'});
$cluster->failpoint(4, 'copy-step', 'off');
ok(wait_progress(q{slices_done > 8 AND slices_done = slices_total - 1}), 'all ranges but one are copied');
like($cluster->sql(4, q{SELECT kind, relation, peer, phase, workers > 0, rows_done > 15000, rows_per_second > 0,
	started < clock_timestamp(), estimated_end > started FROM topgun.progress}), qr/^copy\|big\|node1\|merging\|t\|t\|t\|t\|t$/m,
	'progress of a running copy');
like(($cluster->error_of(4, q{SELECT topgun.join('other', 'host=x', 'host=x')}))[1], qr/already node 4/, 'it is a node already');
$cluster->sql(4, q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT topgun.join'});
IPC::Run::finish($join->{run});
like($join->{err}, qr/57014/, 'the caller of join() is cancelled');
my $copy = $cluster->sql(4, 'SELECT DISTINCT copy FROM topgun.copy_range');
$cluster->sql(4, q{SELECT pg_terminate_backend(pid) FROM topgun.stat_worker WHERE kind = 'copier'});
ok(wait_progress('slices_total = 1'), 'the next copier goes on with what is left');
is($cluster->sql(4, 'SELECT DISTINCT copy FROM topgun.copy_range'), $copy, 'of the same copy');
$cluster->sql(1, q{UPDATE big SET v = 'changed on 1' WHERE id BETWEEN 10 AND 20; DELETE FROM big WHERE id = 30; UPDATE big SET id = 30000 WHERE id = 40;
	UPDATE big SET id = -1 WHERE id = 19950});
$cluster->sql(4, q{UPDATE big SET v = 'changed on 4' WHERE id BETWEEN 15 AND 25; DELETE FROM big WHERE id = 31});

# Kill -9, and the server restarts.
my $log = -s $cluster->node(4)->logfile;
$join = start_join();
kill('KILL', $cluster->sql(4, q{SELECT pid FROM topgun.stat_worker WHERE kind = 'copier'}));
$cluster->wait_restarted(4, $log);
IPC::Run::finish($_->{run}) foreach $join, $writer;
is($cluster->join_node(4), '4', 'join() again waits for the copies');
is($cluster->sql(4, q{SELECT count(*) FROM topgun.table_state WHERE state <> 'synced'}), '0', 'and all are in step');
is($cluster->sql(4, 'SELECT count(*) FROM topgun.copy_range'), '0', 'no range is left');
IPC::Run::finish($_->{run}) foreach @$storms;
$cluster->node(2)->start;
ok($cluster->wait_for_sync(120), 'the member that was down is back');
$cluster->assert_converged;
is($cluster->sql(1, q{SELECT count(*) FROM big WHERE v = 'only here'}), '100', 'the rows that were here before are everywhere');

# --------------------------------------------------- a table that is out of step

# Make the table differ on node 4, let a row come, and make it as it was.
sub start_resync
{
	my ($row) = @_;
	$cluster->sql(4, 'ALTER TABLE big ADD COLUMN extra int');
	$cluster->sql(1, "INSERT INTO big VALUES ($row, 'while it differs')");
	$cluster->wait_table_state(4, 'big', 'paused');
	$cluster->sql(4, 'ALTER TABLE big DROP COLUMN extra');
	return;
}

# The source is killed in the middle of a range.
$cluster->failpoint($_, 'copy-range', 'pause') foreach 1 .. 3;
start_resync(50001);
ok($cluster->wait_until(4, q{SELECT count(*) = 1 FROM topgun.progress WHERE kind = 'copy'}), 'it is copied anew');
ok($cluster->wait_until(1, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query ~ '^COPY .SELECT topgun_internal'}), 'from node 1');
$cluster->kill9_and_wait(1);
ok($cluster->wait_until(4, q{SELECT count(*) = 1 FROM topgun.stat_table WHERE table_name = 'big' AND state = 'copying' AND reason ~ 'peer'}),
	'the table says what its copy waits for');
$cluster->node(1)->start;
$cluster->failpoint($_, 'copy-range', 'off') foreach 2, 3;
$cluster->wait_attached(4, 'big');
ok($cluster->wait_for_sync(120), 'the source was killed, the copy has gone on');
$cluster->assert_converged('big');

# Its columns change while it is copied: ALTER TABLE waits for the slices that
# run, and they do not begin again.
$cluster->failpoint(4, 'copy-piece', 'pause');
start_resync(50002);
ok(wait_progress(q{phase = 'merging'}), 'it is copied anew');
my $alter = start_psql(4, 'ALTER TABLE big ADD COLUMN extra int');
$cluster->wait_until(4, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^ALTER' AND wait_event_type = 'Lock'});
$cluster->failpoint(4, 'copy-piece', 'off');
IPC::Run::finish($alter->{run});
is($alter->{err}, '', 'a column is added in the middle of the copy');
$cluster->wait_table_state(4, 'big', 'paused');
is($cluster->sql(4, q{SELECT count(*) FROM topgun.progress}), '0', 'the copy has ended');
$cluster->sql(4, 'ALTER TABLE big DROP COLUMN extra');
$cluster->wait_attached(4, 'big');
$cluster->assert_converged('big');

# A worker dies: the server restarts, and what was copied stays.
$cluster->failpoint(4, 'copy-piece', 'pause');
start_resync(50003);
ok(wait_progress('workers = 2'), 'two workers copy');
$log = -s $cluster->node(4)->logfile;
kill('KILL', ($cluster->workers(4, 'topgun bulk worker'))[0]);
$cluster->wait_restarted(4, $log);
$cluster->wait_attached(4, 'big');

# Without workers the copier does it all.
$cluster->sql(4, 'ALTER SYSTEM SET topgun.merge_workers = 0');
$cluster->sql(4, 'SELECT pg_reload_conf()');
start_resync(50004);
$cluster->wait_attached(4, 'big');
is($cluster->sql(4, 'SELECT count(*) FROM big WHERE id > 50000'), '4', 'no row is missing');
$cluster->assert_converged;

$cluster->stop;
done_testing();
