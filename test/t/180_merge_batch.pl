# topgun.merge_batch(): rows that carry their own stamps, merged by workers.
# What it does equals what SQL says it should; whatever is killed meanwhile,
# calling it again leads to the same rows, and nothing is left behind.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;

# the workers here are those of the batches
my $cluster = TopGun::Cluster->new(2, settings => 'topgun.merge_workers = 0');
my $old = '2020-01-01 00:00:00.000Z/7@9';
my $soon = '2080-01-01 00:00:00.000Z/7@9';    # newer than what is here, as a row without a stamp is
my $new = '2090-01-01 00:00:00.000Z/7@9';
my $bulk_workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker'};

sub merge
{
	my ($table, $source, $workers, $settings) = @_;
	$workers //= 2;
	return $cluster->sql(1, ($settings // '') . "CALL topgun.merge_batch('$table', '$source', $workers)");
}

# Nothing of a job is left: no process, no file, no memory, no row of progress.
sub assert_clean
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $data = $cluster->node(1)->data_dir;
	my $deadline = time() + 20;
	my $rest;
	do
	{
		my @files = glob("$data/base/pgsql_tmp/*");
		$rest = join(' ', $cluster->sql(1, $bulk_workers),
			$cluster->sql(1, 'SELECT count(*) FROM topgun.progress'), scalar(@files),
			$cluster->sql(1, q{SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE a.backend_type = 'topgun bulk worker' OR l.locktype = 'advisory'}));
		sleep(0.05) if $rest ne '0 0 0 0';
	} while ($rest ne '0 0 0 0' && time() < $deadline);
	is($rest, '0 0 0 0', "$what: nothing is left");
	return;
}

# --------------------------------------------------------- the same as in SQL

$cluster->on_all(q{CREATE TABLE item (id int PRIMARY KEY, n numeric(9,2), v text CHECK (v <> 'bad'))});
$cluster->sql(1, q{INSERT INTO item SELECT i, i, 'from before' FROM generate_series(1, 300) i});
$cluster->add_table('item');
$cluster->sql(1, 'CREATE TABLE gone (id int PRIMARY KEY)');

sub prepare_round
{
	my ($round) = @_;
	$cluster->sql(1, <<"END");
SELECT setseed(0.$round);
INSERT INTO item SELECT i, i, 'base $round ' || repeat('x', 200) FROM generate_series(1, 3000) i
	WHERE random() < 0.4 ON CONFLICT DO NOTHING;
INSERT INTO ever SELECT id FROM item;
DELETE FROM item WHERE random() < 0.1;
TRUNCATE gone;
INSERT INTO gone SELECT id FROM ever EXCEPT SELECT id FROM item;
DROP TABLE IF EXISTS src, model;
CREATE TABLE src (v text, topgun_deleted bool, n numeric(9,2), topgun_stamp topgun.stamp, id int);
INSERT INTO src SELECT 'theirs $round ' || i || repeat('y', 200), nullif(random() < 0.2, random() < 0.1), i * 1.5,
	(ARRAY['$old', '$new', NULL])[1 + floor(random() * 3)]::topgun.stamp, i
	FROM generate_series(1, 4000) i WHERE random() < 0.7;
UPDATE src SET (v, n, topgun_stamp, topgun_deleted) = (t.v, t.n, t.topgun_stamp, random() < 0.1)
	FROM item t WHERE t.id = src.id AND random() < 0.2;
INSERT INTO src SELECT 'bad', false, 1, '$new', 100000 + 10 * $round + i FROM generate_series(1, 3) i;
INSERT INTO src SELECT * FROM src WHERE id % 7 = 0;
INSERT INTO src SELECT 'too late', false, 0, '2018-01-01 00:00:00.000Z/0\@9', id FROM src WHERE id % 7 = 1;
CREATE TABLE model AS
WITH ranked AS (
	SELECT *, COALESCE(topgun_deleted, false) AS deleted,
		row_number() OVER newest_first AS rank, lag(src) OVER newest_first AS before
	FROM src
	WINDOW newest_first AS (PARTITION BY id ORDER BY COALESCE(topgun_stamp, '$soon') USING OPERATOR(topgun.>))),
winner AS (SELECT * FROM ranked WHERE rank = 1)
SELECT w.id, w.n, w.v, CASE
	WHEN NOT (w.topgun_stamp IS NULL OR (t.id IS NULL AND (g.id IS NULL OR w.topgun_stamp OPERATOR(topgun.=) '$new'))
		OR (t.id IS NOT NULL AND (t.topgun_stamp IS NULL OR w.topgun_stamp OPERATOR(topgun.>) t.topgun_stamp)))
		THEN CASE WHEN t.id IS NULL OR w.topgun_stamp OPERATOR(topgun.<) t.topgun_stamp THEN 'older'
			WHEN deleted THEN 'deleted' ELSE 'equal' END
	WHEN deleted THEN CASE WHEN t.id IS NULL THEN 'older' ELSE 'deleted' END WHEN w.v = 'bad' THEN 'quarantined'
	ELSE 'applied' END AS verdict
FROM winner w LEFT JOIN item t USING (id) LEFT JOIN gone g USING (id)
UNION ALL
SELECT r.id, r.n, r.v, CASE WHEN r.before = src_of THEN 'equal' ELSE 'older' END
FROM (SELECT ranked.*, (v, topgun_deleted, n, topgun_stamp, id)::src AS src_of FROM ranked WHERE rank > 1) AS r;
DROP TABLE IF EXISTS expected;
CREATE TABLE expected AS
	SELECT id, n, v FROM item WHERE id NOT IN (SELECT id FROM model WHERE verdict IN ('applied', 'deleted'))
	UNION ALL SELECT id, n, v FROM model WHERE verdict = 'applied';
END
	return;
}

sub assert_expected
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $cluster->sql(1, <<'END'), '', "$what: the rows are those that SQL says");
(SELECT 'missing', e.* FROM (TABLE expected EXCEPT SELECT id, n, v FROM item) AS e
UNION ALL SELECT 'wrong', w.* FROM (SELECT id, n, v FROM item EXCEPT TABLE expected) AS w) LIMIT 5
END
	return;
}

$cluster->sql(1, 'CREATE TABLE ever (id int)');
my $round = 0;
foreach my $try ([ 0, 'on', 'on' ], [ 1, 'on', 'off' ], [ 2, 'on', 'on' ], [ 2, 'off', 'on' ],
	[ 3, 'on', 'off' ], [ 4, 'off', 'off' ])
{
	my ($workers, $affinity, $stealing) = @$try;
	my $what = "$workers workers, affinity $affinity, stealing $stealing";
	prepare_round(++$round);
	my $counts = $cluster->sql(1, join(',', map { "SELECT count(*) FROM model WHERE verdict = '$_'" } 'applied')
		. join('', map { " UNION ALL SELECT count(*) FROM model WHERE verdict = '$_'" } 'older', 'equal', 'deleted', 'quarantined'));
	$counts =~ tr/\n/|/;
	my $found = merge('item', 'src', $workers,
		"SET topgun.merge_affinity = $affinity; SET topgun.merge_stealing = $stealing;\n");
	is($found, $counts, "$what: counts");
	assert_expected($what);
	is( $cluster->sql(1, q{SELECT count(*) FROM item t JOIN model m USING (id) WHERE m.verdict = 'applied'
			AND (topgun.stamp_node(t.topgun_stamp) <> 1 OR abs(extract(epoch FROM now() - topgun.stamp_time(t.topgun_stamp))) > 60)}),
		'0', "$what: what was written has fresh stamps of this node");
	merge('item', 'src', $workers);
	assert_expected("$what, again");
	is($cluster->sql(1, qq{SELECT count(*) FROM topgun.quarantine WHERE row_data ->> 'id' LIKE '1000${round}_'}), '3',
		"$what: bad rows are in quarantine");
	assert_clean($what);
}
$cluster->assert_converged;

# ------------------------------------------------------------ keys and sources

$cluster->on_all(<<'END');
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE pair (a text COLLATE "C", b int, c text COLLATE nocase, v text, doubled int GENERATED ALWAYS AS (b * 2) STORED,
	PRIMARY KEY (c, b, a));
CREATE TABLE part (id numeric, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_1 (v text, day date NOT NULL, id numeric NOT NULL);
ALTER TABLE part ATTACH PARTITION part_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
END
$cluster->add_table($_) foreach 'pair', 'part';
$cluster->sql(1, <<"END");
INSERT INTO pair SELECT 'a' || i, i % 10, 'Key' || i / 10, 'ours' FROM generate_series(1, 2000) i;
CREATE VIEW pair_view AS SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'A' END || i AS a, i % 10 AS b,
	CASE WHEN i % 3 = 0 THEN 'KEY' ELSE 'key' END || i / 10 AS c, 'theirs' AS v,
	(CASE WHEN i % 5 > 0 THEN '$new' ELSE '$old' END)::topgun.stamp AS topgun_stamp
	FROM generate_series(1, 3000) i;
INSERT INTO part SELECT i, '2026-01-31'::date + i % 2, 'ours' FROM generate_series(1, 1000) i;
END
is(merge('pair', 'pair_view', 3), '2800|200|0|0|0', 'a view, and a key with two collations');
is($cluster->sql(1, q{SELECT count(*), count(*) FILTER (WHERE v = 'theirs'), count(*) FILTER (WHERE doubled = b * 2) FROM pair}),
	'4000|2800|4000', 'keys are the same as its operator class says');
is( $cluster->sql(1, <<"END"), '1001|500|0|0|1', 'a temporary table, a partitioned target, equal keys with other bytes, no partition');
CREATE TEMPORARY TABLE batch (LIKE part); ALTER TABLE batch ADD topgun_deleted bool;
ALTER TABLE batch ALTER day DROP NOT NULL;
INSERT INTO batch SELECT (i || '.0')::numeric, '2026-01-31'::date + i % 2, 'theirs', CASE WHEN i % 3 > 0 THEN '$new'::topgun.stamp END
	FROM generate_series(1, 1000) i;
INSERT INTO batch SELECT (i || '.00')::numeric, '2026-01-31'::date + i % 2, 'late', '$old' FROM generate_series(501, 1000) i;
INSERT INTO batch VALUES (5000, '2026-03-05', 'nowhere', NULL), (5000, '2026-02-05', 'here', NULL);
CALL topgun.merge_batch('part', 'batch', 2);
END
is($cluster->sql(1, q{SELECT count(*), count(DISTINCT tableoid), string_agg(DISTINCT v, ',' ORDER BY v) FROM part}),
	'1001|2|here,theirs', 'each row is where it belongs');
$cluster->on_all(q{ALTER TABLE part RENAME TO part_renamed; ALTER TABLE part_renamed RENAME TO part});

# Rows that exchange unique values, and one that cannot have its own.
$cluster->on_all('CREATE TABLE uniq (id int PRIMARY KEY, u int UNIQUE)');
$cluster->add_table('uniq');
$cluster->sql(1, <<"END");
INSERT INTO uniq VALUES (1, 1), (2, 2), (3, 3);
CREATE TABLE uniq_src (LIKE uniq);
INSERT INTO uniq_src VALUES (1, 2, '$new'), (2, 1, '$new');
CREATE TABLE uniq_more (LIKE uniq);
INSERT INTO uniq_more VALUES (4, 3, '$new');
END
is(merge('uniq', 'uniq_src', 2), '2|0|0|0|0', 'unique values are exchanged');
is(merge('uniq', 'uniq_more', 2), '0|0|0|0|1', 'a conflict goes into quarantine');
is($cluster->sql(1, 'SELECT string_agg(id || u::text, $$ $$ ORDER BY id) FROM uniq'), '12 21 33', 'and they are there');
$cluster->sql(1, 'DELETE FROM uniq WHERE id = 3');
ok($cluster->wait_until(1, 'SELECT count(*) = 1 FROM uniq WHERE id = 4 AND u = 3', 30), 'it comes out when it can');

# A few bad rows among many good ones, in one batch.
$cluster->sql(1, "CREATE TABLE item_src AS SELECT i AS id, i::numeric(9,2) AS n, CASE WHEN i % 700 = 0 THEN 'bad' ELSE 'good' END AS v,
	NULL::topgun.stamp AS topgun_stamp FROM generate_series(200001, 202100) i");
is(merge('item', 'item_src', 2), '2097|0|0|0|3', 'bad rows stop nobody');

# One that was deleted later than it is old does not even get there.
$cluster->sql(1, "DELETE FROM item WHERE id = 200001; DELETE FROM item_src;
	INSERT INTO item_src VALUES (200001, 0, 'bad', '$old'), (200002, 0, 'bad', '$old')");
is(merge('item', 'item_src', 2), '0|2|0|0|0', 'an old bad row of a deleted key is just old');

# -------------------------------------------------------------------- refusals

$cluster->sql(1, <<"END");
CREATE ROLE reader; CREATE ROLE writer; CREATE ROLE bound;
GRANT SELECT ON src TO reader, bound; GRANT INSERT, UPDATE, DELETE ON item TO writer, bound;
CREATE VIEW mistyped AS SELECT id::bigint, n, v, topgun_stamp FROM src;
CREATE VIEW unrounded AS SELECT id, n::numeric, v, topgun_stamp FROM src;
CREATE VIEW misnamed AS SELECT id, n, v, topgun_stamp, 1 AS w FROM src;
CREATE VIEW short AS SELECT id, v, topgun_stamp FROM src;
CREATE VIEW unstamped AS SELECT id, n, v FROM src;
CREATE VIEW ill_stamped AS SELECT id, n, v, 1 AS topgun_stamp FROM src;
CREATE VIEW ill_deleted AS SELECT id, n, v, topgun_stamp, 1 AS topgun_deleted FROM src;
CREATE VIEW keyless AS SELECT NULL::int AS id, n, v, topgun_stamp FROM src;
CREATE VIEW failing AS SELECT id, (n / (id - (SELECT max(id) FROM src)))::numeric(9,2) AS n, v, topgun_stamp FROM src;
CREATE SEQUENCE seq;
END
foreach my $case (
	[ q{'item', 'mistyped'}, '42804', qr/"id" of "mistyped" is of type bigint, not integer/ ],
	[ q{'item', 'unrounded'}, '42804', qr/"n" of "unrounded" is of type numeric, not numeric\(9,2\)/ ],
	[ q{'item', 'misnamed'}, '42703', qr/table "item" has no column "w"/ ],
	[ q{'item', 'short'}, '42703', qr/"short" has no column "n"/ ],
	[ q{'item', 'unstamped'}, '42703', qr/no column "topgun_stamp"/ ],
	[ q{'item', 'ill_stamped'}, '42804', qr/"topgun_stamp" of "ill_stamped"/ ],
	[ q{'item', 'ill_deleted'}, '42804', qr/"topgun_deleted" of "ill_deleted"/ ],
	[ q{'item', 'keyless'}, '23502', qr/null value in key column "id"/ ],
	[ q{'item', 'failing', 2}, '22012', qr/division by zero/ ],
	[ q{'item', 'item'}, '22023', qr/into itself/ ],
	[ q{'src', 'item'}, '55000', qr/"src" is not replicated/ ],
	[ q{'topgun.node', 'src'}, '55000', qr/is not replicated/ ],
	[ q{'part_2', 'src'}, '42809', qr/is a partition/ ],
	[ q{'item', 'seq'}, '\w{5}', qr/seq/ ],
	[ q{'item', 'src', -1}, '22023', qr/between 0 and 64/ ],
	[ q{'item', 'src', 65}, '22023', qr/between 0 and 64/ ],
	[ q{NULL, 'src'}, '22004', qr/table must not be null/ ],
	[ q{'item', NULL}, '22004', qr/source must not be null/ ])
{
	my ($state, $message) = $cluster->error_of(1, "CALL topgun.merge_batch($case->[0])");
	like($state, qr/^$case->[1]$/, "merge_batch($case->[0]) is refused") or diag($message);
	like($message, $case->[2], 'with a reason');
}
my ($state, $message) = $cluster->error_of(1, q{BEGIN; CALL topgun.merge_batch('item', 'src')});
is($state, '25001', 'not inside a transaction block');
is(($cluster->error_of(1, q{SET ROLE bound; CALL topgun.merge_batch('item', 'src')}))[0], '42501', 'not everybody may call it');
$cluster->sql(1, 'GRANT EXECUTE ON PROCEDURE topgun.merge_batch TO reader, writer, bound');
is(($cluster->error_of(1, q{SET ROLE reader; CALL topgun.merge_batch('item', 'src')}))[0], '42501', 'the table must be writable');
is(($cluster->error_of(1, q{SET ROLE writer; CALL topgun.merge_batch('item', 'src')}))[0], '42501', 'the source must be readable');
is(($cluster->error_of(1, q{SET ROLE bound; CALL topgun.merge_batch('item', 'src')}))[0], '00000', 'both are enough');
is(($cluster->error_of(1, q{SET ROLE bound; CALL topgun.merge_batch('item', 'src', 0)}))[0], '00000', 'without workers, too');
$cluster->sql(1, 'ALTER TABLE item ENABLE ROW LEVEL SECURITY');
is(($cluster->error_of(1, q{SET ROLE bound; CALL topgun.merge_batch('item', 'src')}))[0], '0A000', 'row security is not bypassed');
$cluster->sql(1, 'ALTER TABLE item DISABLE ROW LEVEL SECURITY');
assert_clean('after errors');
$cluster->assert_converged;

# ------------------------------------------------- kills, ends, waits, progress

$cluster->on_all('CREATE TABLE big (id int PRIMARY KEY, v text)');
$cluster->add_table('big');

# 20,000 rows, a third of them new, a third changed and a third as they were.
sub prepare_big
{
	my ($label) = @_;
	$cluster->sql(1, <<"END");
DELETE FROM big; INSERT INTO big SELECT i, 'ours' FROM generate_series(1, 20000) i WHERE i % 3 > 0;
DROP TABLE IF EXISTS big_src;
CREATE TABLE big_src AS SELECT i AS id, '$label ' || repeat('z', 150) AS v,
	(CASE WHEN i % 3 = 1 THEN '$old' ELSE '$new' END)::topgun.stamp AS topgun_stamp
	FROM generate_series(1, 20000) i ORDER BY random();
END
	return;
}

sub assert_big
{
	my ($what, $label) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($cluster->sql(1, qq{SELECT count(*), count(*) FILTER (WHERE (v = 'ours') = (id % 3 = 1)),
		count(*) FILTER (WHERE v LIKE '$label %') FROM big}), '20000|20000|13333', "$what: all rows are right");
	return;
}

# Start a merge that stops in each worker before its next batch of rows.
sub start_paused
{
	my ($workers) = @_;
	$cluster->failpoint(1, 'merge-batch', 'pause');
	my %call = (out => '', err => '');
	$call{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $cluster->node(1)->connstr('postgres'),
			'-c', "CALL topgun.merge_batch('big', 'big_src', $workers)" ],
		'<', \undef, '>', \$call{out}, '2>', \$call{err});
	$cluster->wait_until(1, "SELECT count(*) = 1 FROM topgun.progress WHERE phase = 'merging'")
	  or die 'the merge does not start';
	return \%call;
}

sub finish
{
	my ($call) = @_;
	$cluster->failpoint(1, 'merge-batch', 'off');
	IPC::Run::finish($call->{run});
	return;
}

sub bulk_pids
{
	return split(/\n/, $cluster->sql(1, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker' ORDER BY pid}));
}

sub leader_pid
{
	return $cluster->sql(1, 'SELECT pid FROM topgun.progress');
}

# Look at one that runs.
prepare_big('seen');
my $call = start_paused(2);
is($cluster->sql(1, q{SELECT kind, relation, peer, phase, workers, slices_done < slices_total AND slices_total > 8,
	rows_done, started < clock_timestamp(), estimated_end FROM topgun.progress}), 'merge_batch|big||merging|2|t|0|t|',
	'progress of a running merge');
is(scalar(bulk_pids()), 2, 'two workers');
is($cluster->sql(1, 'SELECT backend_xmin, backend_xid FROM pg_stat_activity WHERE pid = ' . leader_pid()), '|',
	'the leader holds no snapshot while workers merge');
finish($call);
is($call->{out}, "13333|6667|0|0|0\n", 'and its counts');
assert_big('two workers', 'seen');

# A worker that is terminated: the others do what it has left.
prepare_big('terminated');
$call = start_paused(2);
my ($first) = bulk_pids();
$cluster->sql(1, "SELECT pg_terminate_backend($first)");
$cluster->wait_until(1, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker'});
finish($call);
like($call->{err}, qr/WARNING: .*lost a bulk worker/, 'a lost worker is told');
is($call->{out}, "13333|6667|0|0|0\n", 'its slice is done again');
assert_big('a worker terminated', 'terminated');

# All of them: the leader does the rest.
prepare_big('orphaned');
$call = start_paused(3);
$cluster->sql(1, "SELECT pg_terminate_backend($_)") foreach bulk_pids();
finish($call);
is($call->{out}, "13333|6667|0|0|0\n", 'without workers the leader goes on');
assert_big('all workers terminated', 'orphaned');
assert_clean('after lost workers');

# The leader, by cancel and by termination; then again.
foreach my $how ('cancel', 'terminate')
{
	prepare_big($how);
	$call = start_paused(2);
	$cluster->sql(1, "SELECT pg_${how}_backend(" . leader_pid() . ')');
	IPC::Run::finish($call->{run});
	like($call->{err}, $how eq 'cancel' ? qr/57014/ : qr/57P01/, "the leader ends by $how");
	assert_clean("leader, $how");
	$cluster->failpoint(1, 'merge-batch', 'off');
	merge('big', 'big_src', 2);
	assert_big("again after $how", $how);
}

# kill -9 of a worker: the server restarts.
foreach my $victim ('worker', 'leader')
{
	prepare_big("killed $victim");
	$call = start_paused(2);
	my ($pid) = $victim eq 'worker' ? bulk_pids() : leader_pid();
	my $log = -s $cluster->node(1)->logfile;
	kill('KILL', $pid);
	$cluster->wait_restarted(1, $log);
	IPC::Run::finish($call->{run});
	assert_clean("kill -9 of the $victim");
	merge('big', 'big_src', 2);
	assert_big("again after kill -9 of the $victim", "killed $victim");
}

# Random ends while it runs, until one call gets through.
prepare_big('random');
my $calls = 0;
while (1)
{
	my $out = '';
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node(1)->connstr('postgres'),
			'-c', "CALL topgun.merge_batch('big', 'big_src', 2)" ], '<', \undef, '>', \$out, '2>', \my $err);
	if (++$calls <= 6)
	{
		sleep(0.1 + rand(0.3));
		my @pids = (bulk_pids(), split(/\n/, leader_pid()));
		$cluster->node(1)->psql('postgres', "SELECT pg_terminate_backend($pids[rand(@pids)])") if @pids;
	}
	IPC::Run::finish($run);
	last if $out =~ /\d/ && $calls > 6;
}
assert_big('after random ends', 'random');
assert_clean('after random ends');

# A lock: for ever, with a time-out, with an end; a deadlock.
prepare_big('locked');
my $holder = $cluster->node(1)->background_psql('postgres');
$holder->query_safe('BEGIN; UPDATE big SET v = v WHERE id = 17');
($state) = $cluster->error_of(1, q{SET lock_timeout = '100ms'; CALL topgun.merge_batch('big', 'big_src', 2)});
is($state, '55P03', 'a lock time-out ends the merge');
assert_clean('lock time-out');
my %waiting = (out => '', err => '');
my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node(1)->connstr('postgres'),
		'-c', "CALL topgun.merge_batch('big', 'big_src', 2)" ],
	'<', \undef, '>', \$waiting{out}, '2>', \$waiting{err});
ok($cluster->wait_until(1, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker' AND wait_event_type = 'Lock'}),
	'without, a worker waits');
$holder->query_safe('COMMIT');
IPC::Run::finish($run);
like($waiting{out}, qr/^\d+\|/, 'until the lock is free');
$holder->quit;
assert_big('after a lock', 'locked');
$cluster->assert_converged('big');

# Writers on the same rows: deadlocks are tried again, every node has the same.
prepare_big('contended');
my $script = PostgreSQL::Test::Utils::tempdir() . '/writers';
PostgreSQL::Test::Utils::append_to_file($script, <<'END');
\set a random(1, 20000)
\set b random(1, 20000)
BEGIN;
UPDATE big SET v = 'client' WHERE id = :a;
DELETE FROM big WHERE id = :b;
INSERT INTO big VALUES (:b, 'client') ON CONFLICT DO NOTHING;
COMMIT;
END
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', 3, '-T', 5, '--max-tries=20', '-f', $script,
		$cluster->node(1)->connstr('postgres') ], '>&', \my $bench_output);
my $merges = 0;
my $ends = time() + 4;
while (time() < $ends)
{
	my $counts = merge('big', 'big_src', 2);
	my $sum = 0;
	$sum += $_ foreach split(/\|/, $counts);
	$merges++ if $sum == 20000;
}
cmp_ok($merges, '>', 0, "$merges merges under load, each has dealt with every row");
IPC::Run::finish($bench);
$cluster->assert_converged('big');
assert_clean('under load');

# Memory does not grow with the batch.
sub peak_kb
{
	my ($rows) = @_;
	my %peak;
	$cluster->sql(1, "TRUNCATE big; DROP TABLE big_src; CREATE TABLE big_src AS SELECT i AS id, repeat('m', 100) AS v, NULL::topgun.stamp AS topgun_stamp FROM generate_series(1, $rows) i");
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $cluster->node(1)->connstr('postgres'),
			'-c', "SET maintenance_work_mem = '1MB'; SET work_mem = '1MB'",
			'-c', "SET application_name = 'leader'",
			'-c', "CALL topgun.merge_batch('big', 'big_src', 2)" ], '<', \undef, '>', \my $out, '2>', \my $err);
	my @pids;
	while ($run->pumpable)
	{
		@pids = split(/\n/, $cluster->sql(1, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker' OR application_name = 'leader'}))
		  if @pids < 3;
		foreach my $pid (@pids)
		{
			open(my $in, '<', "/proc/$pid/status") or next;
			while (my $line = readline($in))
			{
				$peak{$pid} = $1 if $line =~ /^RssAnon:\s+(\d+)/ && $1 > ($peak{$pid} // 0);
			}
		}
		$run->pump_nb;
		sleep(0.02);
	}
	IPC::Run::finish($run);
	is($out, "$rows|0|0|0|0\n", "$rows rows are merged");
	my ($most) = sort { $b <=> $a } values %peak, 0;
	return $most;
}
my $small = peak_kb(60000);
my $large = peak_kb(300000);
note("measured: $small kB of own memory for 60,000 rows, $large kB for 300,000");
cmp_ok($small, '>', 0, 'memory was looked at');
cmp_ok($large, '<', $small + 3000, 'memory does not grow with the batch');
$cluster->assert_converged('big');

# No place for workers.
my $taken = $cluster->sql(1, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'topgun%' OR backend_type LIKE '%launcher'});
foreach my $free (0, 1)
{
	prepare_big("$free places");
	$cluster->sql(1, 'ALTER SYSTEM SET max_worker_processes = ' . ($taken - 1 + $free));
	$cluster->node(1)->restart;
	$cluster->wait_until(1, q{SELECT count(*) > 2 FROM pg_stat_activity WHERE backend_type LIKE 'topgun%'});
	sleep(0.5);
	my ($code, $out, $err) = $cluster->node(1)->psql('postgres', "CALL topgun.merge_batch('big', 'big_src', 3)");
	is($out, '13333|6667|0|0|0', "$free free places: it is merged");
	like($err, qr/NOTICE:  $free of 3 workers could be started/, 'with a notice');
	assert_big("$free free places", "$free places");
}
assert_clean('in the end');
$cluster->assert_converged;
$cluster->stop;
done_testing();
