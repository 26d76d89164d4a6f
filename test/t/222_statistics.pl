# What is kept of conflicts, and what views count.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2, links => 1, settings => "topgun.repair_interval = '200ms'\n");
$cluster->on_all('CREATE TABLE t (id int PRIMARY KEY, v text)');
$cluster->add_table('t');

sub setting
{
	my ($name, $value) = @_;
	foreach my $i (1, 2)
	{
		$cluster->node($i)->append_conf('postgresql.conf', "$name = $value\n");
		$cluster->node($i)->reload;
		$cluster->wait_until($i, "SELECT setting <> '' FROM pg_settings WHERE name = '$name' AND pending_restart = false");
	}
	return;
}

sub counted
{
	my ($i) = @_;
	return $cluster->sql($i, q{SELECT conflicts FROM topgun.stat_table WHERE table_name = 't'});
}

# Both nodes write while they cannot hear each other, node 2 last.  Then one of
# them hears first, and is the one that knows of so many conflicts: the other
# is told by somebody who had seen its rows.
sub conflicts
{
	my ($first, $n, $sql, $other) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = counted($first);
	$cluster->cut_link(1, 2);
	$cluster->sql(1, $sql);
	$cluster->sql(2, $other // $sql);
	$cluster->{proxy}->set($first, 3 - $first, 'pass');
	ok($cluster->wait_until($first, "SELECT conflicts = $before + $n FROM topgun.stat_table WHERE table_name = 't'", 20), "node $first counts $n")
		or diag(counted($first) - $before);
	$cluster->heal_link(1, 2);
	ok($cluster->wait_for_sync, 'together again');
	return;
}

# ----------------------------------------------------------- each of its kind
$cluster->sql(1, q{INSERT INTO t SELECT i, 'base' FROM generate_series(1, 500) AS i});
$cluster->wait_for_sync;
my @both = (
	q{UPDATE t SET v = 'one' WHERE id = 1; UPDATE t SET v = 'one' WHERE id = 2; DELETE FROM t WHERE id = 3},
	q{UPDATE t SET v = 'two' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET v = 'two' WHERE id = 3});
my $kept = q{SELECT kind, winner, reason, local_writer, remote_writer, local_row ->> 'v', remote_row ->> 'v', table_name
	FROM topgun.conflict ORDER BY COALESCE(local_row ->> 'id', remote_row ->> 'id')};
my $by_kind = q{SELECT conflicts, conflicts_won, conflicts_lost, changed_changed, changed_deleted, deleted_changed FROM };
conflicts(2, 3, @both);
is($cluster->sql(2, $kept), join("\n",
		'changed_changed|local|time|node2|node1|two|one|t',
		'deleted_changed|local|time|node2|node1||one|t',
		'changed_deleted|local|time|node2|node1|two||t'), 'both rows, who won, why');
is($cluster->sql(2, "$by_kind topgun.stat_table WHERE table_name = 't'"), '3|3|0|1|1|1', 'counted by kind');
is($cluster->sql(2, "$by_kind topgun.stat_merge WHERE source = 'pull'"), '3|3|0|1|1|1', 'of all tables as well');
is($cluster->sql(2, 'SELECT conflicts, conflicts_won, conflicts_lost FROM topgun.stat_peer'), '3|3|0', 'and of the peer');
$cluster->sql(1, q{INSERT INTO t VALUES (2, 'base')});
$cluster->wait_for_sync;
conflicts(1, 2, @both);
is($cluster->sql(1, $kept), join("\n",
		'changed_changed|remote|time|node1|node2|one|two|t',
		'changed_deleted|remote|time|node1|node2|one||t'), 'on the node that loses');
is($cluster->sql(1, "$by_kind topgun.stat_table WHERE table_name = 't'"), '2|0|2|1|1|0', 'counted there');

# ------------------------------------------------- a share of them, all counted
setting('topgun.conflict_sample', '0.5');
conflicts(1, 200, q{UPDATE t SET v = 'again' WHERE id BETWEEN 101 AND 300});
my $share = $cluster->sql(1, q{SELECT count(*) FROM topgun.conflict WHERE local_row ->> 'v' = 'again'});
cmp_ok($share, '>', 60, 'about half of them');
cmp_ok($share, '<', 140, 'are kept');
setting('topgun.conflict_sample', '0');
conflicts(1, 200, q{UPDATE t SET v = 'unseen' WHERE id BETWEEN 101 AND 300});
is($cluster->sql(1, q{SELECT count(*) FROM topgun.conflict WHERE local_row ->> 'v' = 'unseen'}), '0', 'none is kept');

# ------------------------------------------------------------- no more than so
setting('topgun.conflict_sample', '1');
setting('topgun.conflict_max_size', q{'256kB'});
my $bytes = q{(SELECT sum(pg_table_size(('topgun.conflict_' || i)::regclass)) FROM generate_series(0, 3) AS i)};
my $oldest_are_gone = q{SELECT count(*) = 0 FROM topgun.conflict WHERE kind = 'changed_deleted'};
my $round;
sub fill
{
	my ($condition) = @_;
	foreach (1 .. 8)
	{
		$round++;
		conflicts(1, 200, "UPDATE t SET v = repeat('<$round>', 100) WHERE id BETWEEN 101 AND 300");
		return 't' if $cluster->sql(1, $condition->()) eq 't';
	}
	return 'f';
}
is(fill(sub { $oldest_are_gone }), 't', 'the oldest go');
is(fill(sub { "SELECT count(*) > 0 FROM topgun.conflict WHERE local_row ->> 'v' LIKE '<$round>%'" }), 't', 'the newest are kept');
cmp_ok($cluster->sql(1, "SELECT $bytes / 1024"), '<=', 256 + 4 * 48, 'no more than there is room for');

# -------------------------------------------------------------- and not for ever
ok($cluster->sql(2, 'SELECT count(*) > 0 FROM topgun.conflict') eq 't', 'some are left');
my $last = $cluster->sql(2, 'SELECT max(at) FROM topgun.conflict');
setting('topgun.conflict_retention', q{'2s'});
ok($cluster->wait_until(2, 'SELECT count(*) = 0 FROM topgun.conflict', 20), 'none after the retention');
ok($cluster->wait_until(2, "SELECT clock_timestamp() - '$last' >= interval '2s'"), 'not before');
setting('topgun.conflict_retention', q{'1d'});
setting('topgun.conflict_max_size', q{'64MB'});
conflicts(2, 1, q{UPDATE t SET v = 'once more' WHERE id = 1});
is($cluster->sql(2, 'SELECT count(*) FROM topgun.conflict'), '1', 'new ones are kept');
$cluster->node(2)->restart;
conflicts(2, 1, q{UPDATE t SET v = 'after a restart' WHERE id = 1});
is($cluster->sql(2, 'SELECT count(*) FROM topgun.conflict'), '2', 'also after a restart');

# --------------------------------------------------- what the peer has not got
ok($cluster->wait_until(1, 'SELECT (acknowledged_lag_rows, acknowledged_lag_bytes) = (0, 0) FROM topgun.stat_peer'), 'nothing is missing there');
$cluster->cut_link(1, 2);
$cluster->sql(1, q{UPDATE t SET v = 'far' WHERE id <= 100 AND id > 3});
is($cluster->sql(1, 'SELECT acknowledged_lag_rows FROM topgun.stat_peer'), '97', 'rows that are missing there');
cmp_ok($cluster->sql(1, 'SELECT acknowledged_lag_bytes FROM topgun.stat_peer'), '>', 97 * 10, 'and bytes');
$cluster->sql(1, q{DO $$ BEGIN FOR i IN 1..5000 LOOP UPDATE t SET v = i::text WHERE id = 10; COMMIT; END LOOP; END $$});
my $rows = $cluster->sql(1, 'SELECT acknowledged_lag_rows FROM topgun.stat_peer');
cmp_ok($rows, '>', 2500, 'many are estimated');
cmp_ok($rows, '<', 10000, "not too badly: $rows of 5097");

# Who looks in a long transaction does not keep the journal from being emptied.
my $looker = $cluster->node(1)->background_psql('postgres');
cmp_ok($looker->query_safe('BEGIN; SELECT max(acknowledged_lag_rows) FROM topgun.stat_peer'), '>', 2500, 'a session looks, and stays');
is($cluster->sql(1, q{SELECT DISTINCT c.relname FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
	JOIN pg_stat_activity AS a USING (pid) WHERE a.query ~ 'max.acknowledged_lag_rows' AND a.state ~ 'idle' AND c.relname ~ '^journal_[0-9]'}),
	'', 'it has no segment locked');
is($cluster->sql(1, q{SELECT count(*) > 0 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
	WHERE a.query ~ 'max.acknowledged_lag_rows' AND a.state = 'idle in transaction' AND l.relation = 'topgun.stat_peer'::regclass}),
	't', 'though it has others locked');
$looker->quit;

$cluster->heal_link(1, 2);
$cluster->wait_for_sync;
ok($cluster->wait_until(1, "SELECT (acknowledged_lag_rows, acknowledged_lag_bytes) = (0, 0) FROM topgun.stat_peer"), 'until it has them');

# --------------------------------------------------------------------- counters
$cluster->sql(1, q{CREATE TABLE feed (LIKE t); INSERT INTO feed VALUES (1000, 'fed', NULL)});
$cluster->sql(1, q{CALL topgun.merge_batch('t', 'feed')});
is($cluster->sql(1, q{SELECT rows_applied FROM topgun.stat_merge WHERE source = 'merge_batch'}), '1', 'what was imported');
$cluster->sql(1, q{ALTER TABLE t ADD CONSTRAINT short CHECK (length(v) < 1000) NOT VALID});
$cluster->sql(2, q{INSERT INTO t VALUES (1001, repeat('x', 1000))});
ok($cluster->wait_until(1, 'SELECT count(*) = 1 FROM topgun.quarantine'), 'a row waits');
is($cluster->sql(1, q{SELECT quarantined, rows_quarantined FROM topgun.stat_table WHERE table_name = 't'}), '1|1', 'which the table shows');
is($cluster->sql(1, q{BEGIN; ALTER TABLE t DROP CONSTRAINT short; SELECT topgun.retry_quarantine(); ROLLBACK}), '1', 'a retry is taken back');
is($cluster->sql(1, q{SELECT rows_applied FROM topgun.stat_merge WHERE source = 'retry'}), '0', 'and does not count');
$cluster->sql(1, q{ALTER TABLE t DROP CONSTRAINT short});
$cluster->sql(1, 'SELECT topgun.retry_quarantine()');
ok($cluster->wait_until(1, q{SELECT rows_applied = 1 FROM topgun.stat_merge WHERE source = 'retry'}), 'and is merged by a retry');
is($cluster->sql(1, q{SELECT topgun.stat_reset()}), '', 'the counters begin anew');
is($cluster->sql(1, q{SELECT sum(rows_applied + rows_older + conflicts) FROM topgun.stat_merge}), '0', 'all of them');
is($cluster->sql(1, q{SELECT sum(rows_applied + conflicts) FROM topgun.stat_table}), '0', 'of tables');
is($cluster->sql(1, q{SELECT rows_applied + conflicts + failures FROM topgun.stat_peer}), '0', 'and of peers');
is($cluster->sql(1, q{SELECT DISTINCT clock_timestamp() - s < interval '1 min' AND s > pg_postmaster_start_time() FROM
	(SELECT stats_reset AS s FROM topgun.stat_merge UNION ALL SELECT stats_reset FROM topgun.stat_peer
		UNION ALL SELECT stats_reset FROM topgun.stat_table) AS x}), 't', 'and say since when');

# ------------------------------------------------------------------- who may look
$cluster->sql(1, 'CREATE ROLE onlooker LOGIN IN ROLE pg_monitor; CREATE ROLE nobody LOGIN');
foreach my $view (qw(status stat_peer stat_table stat_worker stat_merge stat_repair progress conflict quarantine epoch_history))
{
	my ($state) = $cluster->error_of(1, "SET ROLE onlooker; SELECT * FROM topgun.$view");
	is($state, '00000', "pg_monitor may look at $view");
	($state) = $cluster->error_of(1, "SET ROLE nobody; SELECT * FROM topgun.$view");
	is($state, '42501', 'and nobody else');
}
my ($state) = $cluster->error_of(1, 'SET ROLE onlooker; SELECT topgun.stat_reset()');
is($state, '42501', 'but not reset counters');
is($cluster->sql(1, q{SELECT state, epoch > 0, peers, peers_up, peers_streaming, abs(clock_offset_ms) < 1000 FROM topgun.status}),
	'active|t|1|1|1|t', 'the node in one row');
is($cluster->sql(1, q{SELECT server_version_num = current_setting('server_version_num')::int, topgun_version, retries FROM topgun.stat_peer}),
	't|1.0|0', 'versions of the peer');
$cluster->assert_converged;
done_testing();
