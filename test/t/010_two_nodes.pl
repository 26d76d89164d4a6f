# Two nodes: what is written on one is on the other, whatever the statement.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);

is($cluster->sql(1, 'SELECT node_id FROM topgun.local_node'), '1', 'the first node has id 1');
is($cluster->sql(2, 'SELECT node_id FROM topgun.local_node'), '2', 'the second node has id 2');
is($cluster->sql($_, 'SELECT count(*) FROM topgun.node'), '2', "node $_ knows both members")
  foreach 1, 2;

# ------------------------------------------------------------- plain statements
$cluster->on_all('CREATE TABLE item (id int PRIMARY KEY, v text, n numeric)');
$cluster->add_table('item');

$cluster->sql(1, q{INSERT INTO item SELECT i, 'from 1', i FROM generate_series(1, 100) i});
$cluster->sql(2, q{INSERT INTO item SELECT i, 'from 2', i FROM generate_series(101, 200) i});
ok($cluster->wait_for_sync, 'wait_for_sync returns true');
is($cluster->sql($_, 'SELECT count(*) FROM item'), '200', "node $_ has the rows of both")
  foreach 1, 2;
$cluster->assert_converged;

$cluster->sql(1, q{UPDATE item SET v = 'changed by 1' WHERE id BETWEEN 90 AND 110});
$cluster->sql(2, q{DELETE FROM item WHERE id % 10 = 0});
$cluster->wait_for_sync;
$cluster->sql(1, q{INSERT INTO item VALUES (10, 'again', 1.00), (500, NULL, 'NaN')});
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT v, n FROM item WHERE id = 10'), 'again|1.00', 'a key comes back');

# ------------------------------------------------- transactions of many shapes
$cluster->sql(1, <<'END');
BEGIN;
INSERT INTO item VALUES (1001, 'kept', 1);
SAVEPOINT a;
INSERT INTO item VALUES (1002, 'rolled back', 1);
UPDATE item SET v = 'rolled back' WHERE id = 1001;
ROLLBACK TO a;
INSERT INTO item VALUES (1003, 'kept', 1);
SAVEPOINT b;
UPDATE item SET v = 'kept too' WHERE id = 1003;
RELEASE b;
COMMIT;
END
$cluster->sql(2, <<'END');
BEGIN;
INSERT INTO item VALUES (1010, 'never', 1);
ROLLBACK;
INSERT INTO item VALUES (1, 'upsert', 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
WITH gone AS (DELETE FROM item WHERE id = 2 RETURNING *)
INSERT INTO item SELECT id + 2000, v, n FROM gone;
MERGE INTO item USING (VALUES (3, 'merged'), (2003, 'new')) AS s (id, v) ON s.id = item.id
WHEN MATCHED THEN UPDATE SET v = s.v
WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v, 0);
CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 3001..3005 LOOP
		INSERT INTO item VALUES (i, 'procedure', i);
		COMMIT;
	END LOOP;
END $$;
CALL fill();
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM item WHERE id BETWEEN 50 AND 55 ORDER BY id FOR UPDATE;
FETCH c;
UPDATE item SET v = 'at the cursor' WHERE CURRENT OF c;
FETCH c;
DELETE FROM item WHERE CURRENT OF c;
COMMIT;
END
$cluster->assert_converged;
is( $cluster->sql(1, 'SELECT string_agg(v, $$,$$ ORDER BY id) FROM item WHERE id IN (1, 3, 2002, 2003)'),
	'upsert,merged,from 1,new', 'upsert, MERGE and a writable CTE travel');
is( $cluster->sql(2, 'SELECT string_agg(id || v, $$,$$ ORDER BY id) FROM item WHERE id BETWEEN 1001 AND 1010'),
	'1001kept,1003kept too', 'only what was committed travels');

# COPY in and out without naming columns.
my $file = PostgreSQL::Test::Utils::tempdir() . '/copy';
PostgreSQL::Test::Utils::append_to_file($file, join('', map { "$_\tcopied\t$_\n" } 5001 .. 8000));
$cluster->sql(1, "\\copy item FROM '$file'");
unlike($cluster->sql(1, 'COPY item TO STDOUT'), qr/@/, 'COPY TO does not show the stamp');
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT count(*) FROM item WHERE id > 5000'), '3000', 'COPY travels');

# ------------------------------------------------------------- one huge transaction
$cluster->sql(1, q{INSERT INTO item SELECT i, repeat('x', 50), i FROM generate_series(100001, 200000) i});
$cluster->assert_converged;
$cluster->sql(2, 'UPDATE item SET n = -id WHERE id > 100000');
$cluster->sql(1, 'DELETE FROM item WHERE id > 150000');
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT count(*) FROM item WHERE id > 150000'), '0', 'the larger half is gone');

# -------------------------------------------------------- primary keys that change
$cluster->on_all('CREATE TABLE pk (a int, b text, v text, PRIMARY KEY (b, a) )');
$cluster->add_table('pk', on => 2);
$cluster->sql(1, q{INSERT INTO pk VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'a', 'three')});
$cluster->wait_for_sync;
$cluster->sql(2, q{UPDATE pk SET a = 10 WHERE a = 1});
$cluster->wait_for_sync;
$cluster->sql(1, q{UPDATE pk SET a = 1 WHERE a = 10});
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT a, v FROM pk ORDER BY a'), "1|one\n2|two\n3|three", 'a new key and back');
$cluster->sql(1, <<'END');
BEGIN;
UPDATE pk SET a = -1 WHERE a = 1;
UPDATE pk SET a = 1 WHERE a = 2;
UPDATE pk SET a = 2 WHERE a = -1;
COMMIT;
END
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT a, v FROM pk ORDER BY a'), "1|two\n2|one\n3|three", 'keys swapped');
$cluster->sql(2, q{BEGIN; DELETE FROM pk WHERE a = 3; UPDATE pk SET a = 3 WHERE a = 2; COMMIT});
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT a, v FROM pk ORDER BY a'), "1|two\n3|one", 'the key of a deleted row');

# ---------------------------------------------------- partitions, cascades, triggers
$cluster->on_all(<<'END');
CREATE TABLE part (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('north');
CREATE TABLE part_s PARTITION OF part FOR VALUES IN ('south');
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE
	DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE audit (id bigserial PRIMARY KEY, what text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO audit (what) VALUES (TG_OP); RETURN NULL; END$$;
CREATE TRIGGER note_it AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION note_it();
END
$cluster->add_table($_) foreach 'part', 'parent', 'child';
$cluster->sql(1, q{INSERT INTO part SELECT i, CASE i % 2 WHEN 0 THEN 'north' ELSE 'south' END, 'x'
	FROM generate_series(1, 20) i});
$cluster->sql(1, 'BEGIN; INSERT INTO child SELECT i, i FROM generate_series(1, 10) i;
	INSERT INTO parent SELECT i FROM generate_series(1, 10) i; COMMIT');
$cluster->wait_for_sync;
$cluster->sql(2, q{UPDATE part SET region = 'north' WHERE id IN (1, 3)});
$cluster->sql(2, q{UPDATE part_s SET v = 'y' WHERE id = 5});
$cluster->sql(2, 'DELETE FROM parent WHERE id <= 3');
$cluster->sql(2, 'UPDATE parent SET id = id + 100 WHERE id IN (4, 5)');
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM part_n'), '12', 'rows move between partitions everywhere');
is( $cluster->sql(1, 'SELECT string_agg(parent_id::text, $$,$$ ORDER BY id) FROM child'),
	'104,105,6,7,8,9,10', 'cascades travel');
is($cluster->sql(1, 'SELECT count(*) FROM audit'), '10', 'triggers fire where the client writes');
is($cluster->sql(2, 'SELECT count(*) FROM audit'), '0', 'and not where the row arrives');

# ------------------------------------------------------------------- TRUNCATE
$cluster->sql(1, 'TRUNCATE item');
$cluster->sql(1, q{INSERT INTO item VALUES (1, 'after', 1)});
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT id, v FROM item'), '1|after', 'TRUNCATE travels, later rows stay');

# --------------------------------------------------------------------- refusals
my ($state, $message) = $cluster->error_of(1, q{BEGIN; INSERT INTO item VALUES (2); PREPARE TRANSACTION 'p'});
isnt($state, '00000', 'PREPARE TRANSACTION is refused after a replicated write');
is($cluster->sql(1, 'SELECT count(*) FROM item'), '1', 'and nothing is written');

# ---------------------------------------------------------------- remove a table
$cluster->call(1, 'topgun.remove_table', 'pk');
ok($cluster->wait_until(2, q{SELECT NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'topgun_capture'
	AND tgrelid = 'pk'::regclass)}), 'remove_table reaches the other node');
$cluster->sql(1, q{INSERT INTO pk VALUES (99, 'z', 'local')});
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT count(*) FROM pk WHERE a = 99'), '0', 'a removed table is local again');

# ----------------------------------------------------------------------- latency
$cluster->on_all('CREATE TABLE ping (id int PRIMARY KEY, sent timestamptz)');
$cluster->add_table('ping');
$cluster->sql(1, <<'END');
CREATE PROCEDURE send(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first..last LOOP
		PERFORM pg_sleep(0.02);
		INSERT INTO ping VALUES (i, clock_timestamp());
		COMMIT;
	END LOOP;
END $$;
END
$cluster->sql(2, <<'END');
CREATE TABLE seen (id int, ms float8);
CREATE FUNCTION receive(first int, last int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	then_sent timestamptz;
BEGIN
	FOR i IN first..last LOOP
		LOOP
			SELECT sent INTO then_sent FROM ping WHERE id = i;
			EXIT WHEN FOUND;
			PERFORM pg_sleep(0.00002);
		END LOOP;
		INSERT INTO seen VALUES (i, extract(epoch FROM clock_timestamp() - then_sent) * 1000);
	END LOOP;
END $$;
END
my $first = 1;
foreach my $commit ('on', 'off')
{
	my $last = $first + 149;
	my $receiver = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $cluster->node(2)->connstr('postgres'),
			'-c', "SELECT receive($first, $last)" ], '>', '/dev/null');
	$cluster->sql(1, "SET synchronous_commit = $commit; CALL send($first, $last)");
	ok(IPC::Run::finish($receiver), "every row arrives while idle, synchronous_commit = $commit");
	note("measured: commit to visible, synchronous_commit = $commit: "
		  . $cluster->sql(2, "SELECT format('p50 %s ms, p99 %s ms',
			round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 2),
			round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2))
			FROM seen WHERE id BETWEEN $first AND $last"));
	$first = $last + 1;
}

# --------------------------------------------------------------------- monitoring
is($cluster->sql($_, 'SELECT count(*) FROM topgun.status'), '1', "node $_: status has one row")
  foreach 1, 2;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.stat_peer'), '1', "node $_: stat_peer shows the other")
  foreach 1, 2;
cmp_ok($cluster->sql(1, 'SELECT count(*) FROM topgun.stat_table'), '>=', 5, 'stat_table shows the tables');
is($cluster->sql($_, 'SELECT count(*) FROM topgun.quarantine'), '0', "node $_: nothing in quarantine")
  foreach 1, 2;
$cluster->sql(1, 'CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher');
foreach my $view ('status', 'stat_peer', 'stat_table', 'conflict', 'quarantine')
{
	my ($code) = $cluster->node(1)->psql('postgres', "SET ROLE watcher; SELECT * FROM topgun.$view");
	is($code, 0, "pg_monitor may read topgun.$view");
}
$cluster->assert_converged;

$cluster->stop;
done_testing();
