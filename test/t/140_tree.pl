# The Merkle trees that the folder makes from the journal: whatever happens to
# the rows, in whatever order and transaction, every node has the same root,
# and it is the one that the rows give (assert_converged derives it from them).
# A folder that is stopped between any two steps goes on where it was.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;

# Nobody but the folder shall put a tree right.
my $cluster = TopGun::Cluster->new(2, links => 1, settings => <<'END');
topgun.repair_interval = 0
topgun.fold_interval = 20
topgun.journal_segment_size = 256
END

# The root after all that is committed now.
sub root
{
	my ($i, $table) = @_;
	$cluster->sql($i, 'SELECT topgun_internal.tree_roots()');
	return $cluster->sql($i, "SELECT topgun.merkle_root('$table')");
}

# Run SQL on a node; all trees are as they should be afterwards.
sub holds
{
	my ($what, $i, $sql, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	note($what);
	$cluster->sql($i, $sql);
	$cluster->assert_converged(@tables) or diag("after: $what");
	return;
}

sub position
{
	my ($i) = @_;
	return $cluster->sql($i, q{SELECT coalesce(position::text, '') FROM topgun.fold_state});
}

sub is_at_least
{
	my ($i, $position) = @_;
	return $cluster->sql($i, "SELECT position OPERATOR(topgun.>=) '$position' FROM topgun.fold_state");
}

# Which transactions have written the stored trees, to the letter.
sub written
{
	my ($i) = @_;
	return $cluster->sql($i, <<'END');
SELECT string_agg(line, ' ' ORDER BY line) FROM
(SELECT format('%s:%s', table_id, xmin) AS line FROM topgun.merkle_tree
UNION ALL SELECT format('%s/%s:%s', table_id, group_no, xmin) FROM topgun.merkle_leaf) AS w
END
}

sub folder_pid
{
	my ($i) = @_;
	return $cluster->sql($i, q{SELECT pid FROM topgun.stat_worker WHERE kind = 'folder' AND state = 'running'});
}

$cluster->on_all(<<'END');
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE two (a text, b text, v text, PRIMARY KEY (a, b));
CREATE TABLE numbers (id numeric PRIMARY KEY, v int);
CREATE TABLE part (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b PARTITION OF part FOR VALUES IN ('b') PARTITION BY RANGE (id);
CREATE TABLE part_b1 PARTITION OF part_b FOR VALUES FROM (0) TO (100);
CREATE TABLE part_b2 PARTITION OF part_b FOR VALUES FROM (100) TO (100000);
END
$cluster->add_table($_) foreach 't', 'two', 'numbers', 'part';

# --------------------------------------------------------------- one statement
my $empty = root(1, 't');
is(root(1, 'two'), $empty, 'all empty trees are the same');
$cluster->assert_converged;
holds('INSERT', 1, q{INSERT INTO t SELECT i, 'one' FROM generate_series(1, 3000) i});
my $before = root(1, 't');
isnt($before, $empty, 'rows change the root');
holds('UPDATE of one row', 1, q{UPDATE t SET v = 'changed' WHERE id = 1});
isnt(root(1, 't'), $before, 'one row that changes changes the root');
holds('UPDATE on the other node', 2, q{UPDATE t SET v = v WHERE id % 3 = 0});
holds('DELETE', 2, q{DELETE FROM t WHERE id % 5 = 0});
holds('keys move up', 1, q{UPDATE t SET id = id + 10000});
holds('keys move over each other', 2, q{UPDATE t SET id = id + 1 WHERE id BETWEEN 10001 AND 10100 AND NOT
	EXISTS (SELECT FROM t AS u WHERE u.id = t.id + 1)});
holds('upsert', 1, q{INSERT INTO t SELECT i, 'up' FROM generate_series(10001, 10500) i
	ON CONFLICT (id) DO UPDATE SET v = excluded.v});
holds('delete and insert in one statement', 2,
	q{WITH d AS (DELETE FROM t WHERE id < 10300 RETURNING id) INSERT INTO t SELECT id + 20000, 'again' FROM d});
holds('DELETE of all rows', 1, 'DELETE FROM t');
is(root(1, 't'), $empty, 'a table that has lost its rows has the empty root');
is($cluster->sql(2, q{SELECT count(*) FROM topgun.merkle_leaf l JOIN topgun.table_state s USING (table_id)
	WHERE s.relid = 't'::regclass}), '0', 'and no leaves');

# ------------------------------------------------------------ one transaction
holds('insert, update, delete of one key', 1, <<'END');
BEGIN;
INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; DELETE FROM t; INSERT INTO t VALUES (1, 'c');
UPDATE t SET id = 2; UPDATE t SET id = 1;
COMMIT
END
holds('a savepoint that is rolled back', 2, <<'END');
BEGIN;
INSERT INTO t VALUES (10, 'stays');
SAVEPOINT s;
INSERT INTO t SELECT i, 'goes' FROM generate_series(100, 60000) i;
UPDATE t SET v = 'goes' WHERE id = 1;
ROLLBACK TO s;
INSERT INTO t VALUES (11, 'stays');
COMMIT
END
is($cluster->sql(1, 'SELECT count(*) FROM t'), '3', 'three rows');
holds('nested subtransactions that spill', 1, <<'END');
DO $$
BEGIN
	FOR i IN 1..20 LOOP
		BEGIN
			INSERT INTO t SELECT i * 10000 + j, 'spill' FROM generate_series(1, 3000) j;
			BEGIN
				UPDATE t SET v = 'inner' WHERE id BETWEEN i * 10000 AND i * 10000 + 500;
				DELETE FROM t WHERE id BETWEEN i * 10000 + 400 AND i * 10000 + 600;
				IF i % 3 = 0 THEN RAISE 'undone'; END IF;
			EXCEPTION WHEN raise_exception THEN
			END;
			IF i % 5 = 0 THEN RAISE 'undone'; END IF;
		EXCEPTION WHEN raise_exception THEN
		END;
	END LOOP;
END $$
END

# ------------------------------------------------------------------- TRUNCATE
holds('TRUNCATE', 2, 'TRUNCATE t');
is(root(1, 't'), $empty, 'a truncated table has the empty root');
holds('TRUNCATE of an empty table', 1, 'TRUNCATE t');
holds('rows, TRUNCATE, rows', 1, <<'END');
BEGIN;
INSERT INTO t SELECT i, 'gone' FROM generate_series(1, 50) i;
TRUNCATE t;
INSERT INTO t SELECT i, 'here' FROM generate_series(20, 90) i;
UPDATE t SET v = 'changed' WHERE id < 30;
DELETE FROM t WHERE id > 80;
COMMIT
END
holds('TRUNCATE after much has been spilled, then more', 2, <<'END');
BEGIN;
UPDATE t SET v = 'soon gone';
INSERT INTO t SELECT i, 'gone' FROM generate_series(1000, 90000) i;
DELETE FROM t WHERE id % 2 = 0;
INSERT INTO two SELECT 'k', i, 'kept' FROM generate_series(1, 2000) i;
TRUNCATE t;
INSERT INTO t SELECT i, 'here' FROM generate_series(500, 70000) i;
DELETE FROM t WHERE id % 3 = 0;
COMMIT
END
holds('TRUNCATE in a subtransaction, spills on both sides', 1, <<'END');
DO $$
BEGIN
	INSERT INTO t SELECT i, 'gone' FROM generate_series(100000, 140000) i;
	BEGIN
		INSERT INTO t SELECT i, 'gone' FROM generate_series(200000, 240000) i;
		TRUNCATE t;
		INSERT INTO t SELECT i, 'here' FROM generate_series(100000, 130000) i;
	EXCEPTION WHEN division_by_zero THEN
	END;
	UPDATE t SET v = 'changed' WHERE id % 2 = 0;
END $$
END
holds('TRUNCATE that is written after what came later', 1, <<'END');
BEGIN;
INSERT INTO t VALUES (-1, 'gone');
TRUNCATE t;
INSERT INTO t VALUES (-1, 'here');
DO $$
BEGIN
	INSERT INTO t SELECT i, 'spilled by a subtransaction' FROM generate_series(1, 40000) i;
EXCEPTION WHEN division_by_zero THEN
END $$;
UPDATE t SET v = 'changed' WHERE id < 1000;
COMMIT
END
holds('the same beside another TRUNCATE', 2, <<'END');
BEGIN;
TRUNCATE t, two;
DO $$
BEGIN
	INSERT INTO t SELECT i, 'gone' FROM generate_series(1, 40000) i;
	INSERT INTO two SELECT 'k', i, 'spilled' FROM generate_series(1, 20000) i;
EXCEPTION WHEN division_by_zero THEN
END $$;
TRUNCATE t;
DO $$
BEGIN
	INSERT INTO t SELECT i, 'here' FROM generate_series(20000, 50000) i;
	DELETE FROM two WHERE b LIKE '%7';
EXCEPTION WHEN division_by_zero THEN
END $$;
COMMIT
END
holds('TRUNCATE that is rolled back to a savepoint', 2, <<'END');
BEGIN;
DELETE FROM t WHERE id % 7 = 0;
SAVEPOINT s;
TRUNCATE t;
INSERT INTO t SELECT i, 'goes' FROM generate_series(1, 40000) i;
ROLLBACK TO s;
INSERT INTO t SELECT i, 'stays' FROM generate_series(1, 100) i;
COMMIT
END
holds('two tables truncated at once, twice', 1, <<'END');
BEGIN;
TRUNCATE t, two;
INSERT INTO t VALUES (1, 'gone'); INSERT INTO two VALUES ('a', 'b', 'gone');
TRUNCATE two, t;
INSERT INTO t VALUES (2, 'here'); INSERT INTO two VALUES ('a', 'c', 'here');
COMMIT
END

# A TRUNCATE that is merged beside newer rows deletes the older ones one by one.
$cluster->sql(1, q{INSERT INTO t SELECT i, 'old' FROM generate_series(100, 2000) i});
$cluster->assert_converged;
$cluster->cut_link(1, 2);
$cluster->sql(1, 'TRUNCATE t');
sleep(0.1);
$cluster->sql($_, "INSERT INTO t SELECT i, 'new' FROM generate_series($_ * 10000, $_ * 10000 + 500) i") foreach 1, 2;
$cluster->heal_link(1, 2);
$cluster->assert_converged;
is($cluster->sql(2, q{SELECT string_agg(DISTINCT v, ' ') || count(*) FROM t}), 'new1002', 'an older TRUNCATE leaves newer rows');

# ----------------------------------------------------------------------- keys
holds('NULL and the empty string, delimiters', 2, <<'END');
INSERT INTO two VALUES ('', '', NULL), ('', 'x', ''), ('x', '', 'NULL'), ('a,b', 'c', ','), ('a', 'b,c', ','),
	('a|b', 'c', '|'), ('a', 'b|c', '|'), (E'a\tb', E'c\n', E'\t'), (E'a', E'\tb\tc\n', E'\\'), ('"', '''', '""'),
	(repeat('k', 1000), repeat('l', 1000), repeat('v', 100000))
END
holds('values change places', 1, q{UPDATE two SET a = b, b = a WHERE a IN ('a,b', 'a|b', '"')});
holds('NULL becomes the empty string', 2, q{UPDATE two SET v = '' WHERE v IS NULL});
holds('numeric keys', 1, q{INSERT INTO numbers SELECT i, i FROM generate_series(-100, 100) i});
holds('the same numeric key with another scale', 2, 'UPDATE numbers SET id = id::numeric(10, 3) WHERE v % 2 = 0');
holds('and back, with a new value', 1, 'UPDATE numbers SET id = trim_scale(id), v = v + 1 WHERE v % 4 = 0');
holds('deleted by a key of another scale', 2, 'DELETE FROM numbers WHERE id = 50.00000');
holds('inserted with another scale than the deleted one', 1, 'INSERT INTO numbers VALUES (50.0, 1)');

# ----------------------------------------------------------------- partitions
holds('partitions: INSERT', 1, q{INSERT INTO part SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'p'
	FROM generate_series(1, 400) i});
holds('partitions: rows move', 2, q{UPDATE part SET region = CASE region WHEN 'a' THEN 'b' ELSE 'a' END WHERE id % 3 = 0});
holds('partitions: rows move one level down', 1, q{UPDATE part SET id = id + 1000 WHERE region = 'b' AND id < 100});
holds('partitions: TRUNCATE of one', 2, 'TRUNCATE part_a');
holds('partitions: rows, TRUNCATE of one, rows', 1, <<'END');
BEGIN;
INSERT INTO part SELECT i, 'a', 'gone' FROM generate_series(1, 30000) i;
TRUNCATE part_a;
INSERT INTO part SELECT i, 'a', 'here' FROM generate_series(100, 20000) i;
COMMIT
END
holds('partitions: TRUNCATE of the root, then rows', 2, <<'END');
BEGIN;
INSERT INTO part VALUES (77777, 'b', 'gone');
TRUNCATE part;
INSERT INTO part SELECT i, 'b', 'here' FROM generate_series(1, 300) i;
COMMIT
END
is($cluster->sql(1, 'SELECT count(*) FROM part'), '300', '300 rows');
my ($state, $message) = $cluster->error_of(1, q{SELECT topgun.merkle_root('part_b1')});
is($state, '42809', 'a partition has no root');
like($message, qr/Name the partitioned table "part"/, 'the hint names the table that has');

# ------------------------------------------------------------------- attaching
# Filled on both sides, so the peers have rows to compare at once.
$cluster->on_all(<<'END');
CREATE TABLE filled (id int PRIMARY KEY, v text);
INSERT INTO filled SELECT i, 'both' FROM generate_series(1, 20000) i
END
$cluster->sql(1, q{INSERT INTO filled VALUES (-1, 'only one')});
$cluster->sql(2, q{INSERT INTO filled VALUES (-2, 'only two'); DELETE FROM filled WHERE id = 7});
$cluster->sql(1, <<'END');
BEGIN;
SELECT topgun.add_table('filled');
UPDATE filled SET v = 'attached and changed' WHERE id % 10 = 0;
DELETE FROM filled WHERE id % 1000 = 0;
DO $$
BEGIN
	INSERT INTO filled SELECT i, 'spilled before the rest' FROM generate_series(30000, 60000) i;
EXCEPTION WHEN division_by_zero THEN
END $$;
COMMIT
END
$cluster->wait_attached($_, 'filled') foreach 1, 2;
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT count(*) FROM filled WHERE id IN (-1, -2, 7)'), '3', 'rows of both sides');

# Removed and added again: nothing is left of the first time.
my $first_id = $cluster->sql(1, q{SELECT table_id FROM topgun.table_state WHERE relid = 'filled'::regclass});
$cluster->sql(1, q{SELECT topgun.remove_table('filled')});
$cluster->wait_until(2, "SELECT NOT EXISTS (SELECT FROM topgun.table_state WHERE table_id = $first_id)");
foreach my $i (1, 2)
{
	is($cluster->sql($i, "SELECT (SELECT count(*) FROM topgun.merkle_tree WHERE table_id = $first_id)
		+ (SELECT count(*) FROM topgun.merkle_leaf WHERE table_id = $first_id)"), '0',
		"node $i: a removed table leaves no tree");
}
($state, $message) = $cluster->error_of(1, q{SELECT topgun.merkle_root('filled')});
is($state, '55000', 'a table that is not replicated has no root');
like($message, qr/table "filled" is not replicated/, 'and the message says so');
$cluster->sql(2, 'TRUNCATE filled');
$cluster->add_table('filled');
$cluster->assert_converged;

# A removal that is rolled back.
$cluster->sql(1, q{BEGIN; SELECT topgun.remove_table('filled'); ROLLBACK; UPDATE filled SET v = 'still here' WHERE id < 100});
$cluster->assert_converged;

# A filled partition, in a table that was truncated before: its rows have no
# stamps, and yet they are newer.  So is one whose key was deleted.
$cluster->sql(2, q{INSERT INTO part SELECT i, 'b', 'deleted' FROM generate_series(1000, 1100) i; DELETE FROM part WHERE id >= 1000});
$cluster->on_all('CREATE TABLE part_c (id int NOT NULL, region text NOT NULL, v text, PRIMARY KEY (id, region))');
$cluster->sql(1, q{INSERT INTO part_c SELECT i, 'c', 'brought along' FROM generate_series(1, 500) i});
$cluster->on_all(q{ALTER TABLE part ATTACH PARTITION part_c FOR VALUES IN ('c')});
$cluster->assert_converged;
is($cluster->sql(2, q{SELECT count(*) FROM part WHERE region = 'c'}), '500', 'rows that were brought along');

$cluster->sql(1, q{UPDATE part SET v = 'changed' WHERE region = 'c' AND id % 2 = 0; DELETE FROM part WHERE id = 99});
$cluster->assert_converged;

# ------------------------------------------------------------------- converged
sub converged
{
	my ($i, $argument) = @_;
	return $cluster->sql($i, 'SELECT topgun.converged(' . ($argument // '') . ')');
}

ok($cluster->wait_for_sync, 'in step');
is(converged($_), 't', "node $_: all tables are equal") foreach 1, 2;
is(converged(1, q{'t'}), 't', 'one table is equal');

# Past the trigger nothing is seen; the rebuild sees it.
$cluster->sql(2, 'SET session_replication_role = replica; ALTER TABLE t DISABLE TRIGGER topgun_capture;
	DELETE FROM t WHERE id = (SELECT min(id) FROM t); ALTER TABLE t ENABLE ALWAYS TRIGGER topgun_capture');
is(converged(1), 't', 'damage past the trigger is not seen');
is($cluster->sql(2, q{SELECT topgun.merkle_rebuild('t')}), '1', 'the rebuild sees it');
is(converged(1), 'f', 'then the nodes are not equal');
is(converged(2, q{'t'}), 'f', 'as to this table');
is(converged(2, q{'part'}), 't', 'as to another they are');
$cluster->sql(1, 'DELETE FROM t');
$cluster->assert_converged;
is(converged(1), 't', 'equal again');

$cluster->node(2)->stop;
my ($code, $out, $notice) = $cluster->node(1)->psql('postgres', 'SELECT topgun.converged()');
is($out, 'f', 'a member that is down: not known to be equal');
like($notice, qr/NOTICE:.*"node2" cannot be asked/, 'a notice names it');
$cluster->node(2)->start;
$cluster->wait_for_sync;
is(converged(1), 't', 'equal when it is back');
$cluster->sql(1, 'CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE nobody_special LOGIN');
is($cluster->sql(1, 'SET ROLE watcher; SELECT topgun.converged()'), 't', 'pg_monitor may ask');
is(($cluster->error_of(1, 'SET ROLE nobody_special; SELECT topgun.converged()'))[0], '42501', 'others may not');

# A table that one of them lacks.
$cluster->sql(1, q{CREATE TABLE lonely (id int PRIMARY KEY); SELECT topgun.add_table('lonely'); INSERT INTO lonely VALUES (1)});
$cluster->wait_table_state(2, 'lonely', 'missing');
is(converged(1), 'f', 'a table is missing on one node');
is(converged(1, q{'lonely'}), 'f', 'and that is the one');
$cluster->sql(2, 'CREATE TABLE lonely (id int PRIMARY KEY)');
$cluster->wait_attached(2, 'lonely');
$cluster->assert_converged;
is(converged(2), 't', 'it has come');

# Made anew under its name, it is attached under its id: nothing is left of
# the rows that went with the table.
$cluster->sql(1, 'INSERT INTO lonely SELECT i FROM generate_series(2, 100) i');
$cluster->assert_converged;
$cluster->sql(2, 'DROP TABLE lonely');
$cluster->wait_table_state(2, 'lonely', 'missing');
$cluster->sql(2, 'CREATE TABLE lonely (id int PRIMARY KEY); INSERT INTO lonely VALUES (50), (1000)');
$cluster->wait_attached(2, 'lonely');
$cluster->assert_converged;
is(converged(1, q{'lonely'}), 't', 'a table made anew');

# ---------------------------------------------------------- stops and crashes
foreach my $signal ('TERM', 'KILL')
{
	$cluster->sql(1, q{INSERT INTO t SELECT i, 'before' FROM generate_series(1, 5000) i ON CONFLICT DO NOTHING});
	root(1, 't');

	# The folder commits asynchronously: a crash may take what is not on disk.
	$cluster->sql(1, 'CHECKPOINT');
	my $position = position(1);
	my $written = written(1);
	my $pid = folder_pid(1);
	if ($signal eq 'TERM') { $cluster->sql(1, "SELECT pg_terminate_backend($pid)"); }
	else
	{
		my $log = -s $cluster->node(1)->logfile;
		kill('KILL', $pid);
		$cluster->wait_restarted(1, $log);
	}
	$cluster->wait_until(1, qq{SELECT count(*) = 1 FROM topgun.stat_worker
		WHERE kind = 'folder' AND state = 'running' AND pid <> $pid});
	sleep(0.3);
	is(is_at_least(1, $position), 't', "SIG$signal: the position does not go back");
	is(written(1), $written, "SIG$signal: the new folder has computed nothing anew");
	$cluster->sql(1, q{DELETE FROM t WHERE id % 2 = 0; UPDATE t SET v = 'after'});
	$cluster->assert_converged;
}

foreach my $point ('fold-before-apply', 'fold-before-commit')
{
	foreach my $action ('error', 'exit', 'crash')
	{
		my $victim = $action eq 'exit' ? 2 : 1;
		root($victim, 't');
		my $written = written($victim);
		my $log = -s $cluster->node($victim)->logfile;
		$cluster->failpoint($victim, $point, $action);
		$cluster->node($victim)->psql('postgres', "INSERT INTO t SELECT i, '$point $action'
			FROM generate_series(10000, 14000) i ON CONFLICT (id) DO UPDATE SET v = excluded.v");
		if ($action eq 'crash') { $cluster->wait_restarted($victim, $log); }
		else
		{
			sleep(0.5);
			is(written($victim), $written, "$point, $action: nothing is half done");
			$cluster->failpoint($victim, $point, 'off');
		}
		$cluster->assert_converged;
	}
}

# Under load, the folders killed again and again.
$cluster->create_storm_table;
my $storm = $cluster->start_storm(6);
foreach my $round (1 .. 10)
{
	sleep(0.5);
	my $victim = 1 + $round % 2;
	my $pid = folder_pid($victim);
	$cluster->sql($victim, "SELECT pg_terminate_backend($pid)") if $pid ne '';
}
ok($cluster->finish_storm($storm), 'the storm had no error');
$cluster->assert_converged;

# The journal is not cut beyond the folder.
$cluster->sql(1, q{ALTER SYSTEM SET topgun.fold_interval = '1h'; SELECT pg_reload_conf()});
sleep(1);
root(1, 't');
my $position = position(1);
$cluster->sql(1, "UPDATE t SET v = 'round $_'") foreach 1 .. 10;
$cluster->wait_for_sync;
sleep(3);
is(position(1), $position, 'the folder waits');
is($cluster->sql(1, "SELECT cut IS NULL OR cut OPERATOR(topgun.<=) '$position' FROM topgun.journal_state"), 't',
	'the journal is there from where it stands');
$cluster->sql(1, 'ALTER SYSTEM RESET topgun.fold_interval; SELECT pg_reload_conf()');
ok($cluster->wait_until(1, "SELECT position OPERATOR(topgun.>) '$position' FROM topgun.fold_state"), 'it goes on');
ok($cluster->wait_until(1, "SELECT cut OPERATOR(topgun.>) '$position' FROM topgun.journal_state"), 'and so does the cut');
$cluster->assert_converged;

$cluster->stop;
done_testing();
