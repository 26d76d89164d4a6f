# Large answers to a pull are merged by workers, in slices; the cursor moves
# when all of an answer is merged.  Whatever is killed meanwhile, or stands in
# its own way, the nodes end up with the same rows, and nothing is left behind.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);
my $rows = 40_000;    # more than one answer names

$cluster->on_all(<<'SETUP');
CREATE TABLE big (id int PRIMARY KEY, n int NOT NULL, v int UNIQUE, t text);
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (20000);
CREATE TABLE parted_high (n int, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (20000) TO (MAXVALUE);
CREATE TABLE pairs (t text, n int, v int, PRIMARY KEY (t, n));
CREATE TABLE fired (n serial, id int, op text);
CREATE FUNCTION keep_few() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.fired (id, op) VALUES (coalesce(new.id, old.id), tg_op);
	IF tg_op = 'INSERT' AND new.id > 100 THEN
		DELETE FROM public.watched WHERE id = new.id - 100;
	END IF;
	RETURN NULL;
END
$$;
CREATE TABLE watched (id int PRIMARY KEY, n int);
CREATE TRIGGER keep_few AFTER INSERT OR UPDATE OR DELETE ON watched
	FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION keep_few();
ALTER TABLE watched ENABLE REPLICA TRIGGER keep_few;
SETUP
$cluster->add_table($_) foreach qw(big parted pairs watched);

# The puller of node 2 stops before it asks again.
sub hold_pulls
{
	$cluster->failpoint(2, 'puller-round', 'pause');
	return;
}

sub let_pull
{
	$cluster->failpoint(2, 'puller-round', 'off');
	return;
}

sub assert_clean
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $data = $cluster->node(2)->data_dir;
	my $deadline = time() + 20;
	my $rest;
	do
	{
		my @files = glob("$data/base/pgsql_tmp/*");
		$rest = join(' ', $cluster->sql(2, <<'END'), scalar(@files));
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'topgun bulk worker') || ' ' ||
	(SELECT count(*) FROM topgun.progress)
END
		sleep(0.05) if $rest ne '0 0 0';
	} while ($rest ne '0 0 0' && time() < $deadline);
	is($rest, '0 0 0', "$what: nothing is left");
	return;
}

# All rows in a few numbers: to list them takes a second each time.
sub digest
{
	my ($i) = @_;
	return $cluster->sql($i, <<'END');
SELECT (SELECT (count(*), sum(hashtextextended(b::text, 0))) FROM big b),
	(SELECT (count(*), sum(hashtextextended((id, n, topgun_stamp)::text, 0))) FROM parted),
	(SELECT (count(*), sum(hashtextextended(p::text, 0))) FROM pairs p)
END
}

sub assert_arrived
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($cluster->wait_for_sync, "$what: in sync");
	is(digest(2), digest(1), "$what: the same rows");
	is($cluster->sql(2, 'SELECT count(*) FROM topgun.quarantine'), 0, "$what: nothing in quarantine");
	assert_clean($what);
	return;
}

# ------------------------------------------------------------ workers, and how

$cluster->failpoint(2, 'pull-slice', 'pause');
$cluster->sql(1, <<"END");
INSERT INTO big SELECT i, i, i, repeat('x', i % 100) FROM generate_series(1, $rows) i;
END
ok($cluster->wait_until(2, <<'END'), 'workers merge a large answer');
SELECT count(*) = 1 FROM topgun.progress WHERE kind = 'pull' AND peer = 'node1' AND workers = 2
END
my ($worker) = $cluster->workers(2, 'topgun bulk worker');
$cluster->sql(2, "SELECT pg_terminate_backend($worker)");
ok($cluster->wait_until(2, 'SELECT workers = 1 FROM topgun.progress'), 'one of two workers is ended');
is($cluster->sql(2, "SELECT count(*) < $rows FROM big"), 't', 'not all rows are there');
$cluster->failpoint(2, 'pull-slice', 'off');
assert_arrived('a worker was ended');

$cluster->failpoint(2, 'pull-slice', 'pause');
$cluster->sql(1, "INSERT INTO parted SELECT i, -i FROM generate_series(1, $rows) i");
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM topgun.progress WHERE workers = 2'),
	'workers merge into partitions');
$cluster->sql(2, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'topgun puller'});
$cluster->failpoint(2, 'pull-slice', 'off');
assert_arrived('the puller was ended');

# ------------------------------------------------------------------- crashes

foreach my $where (qw(pull-slice pull-before-cursor pull-after-commit))
{
	my $log = -s $cluster->node(2)->logfile;
	$cluster->failpoint(2, $where, 'crash');
	$cluster->sql(1, 'UPDATE big SET n = n + 1');
	$cluster->wait_restarted(2, $log);
	assert_arrived("crash at $where");
}

# ------------------------------------------------- rows in each other's way

hold_pulls();
$cluster->sql(1, <<"END");
BEGIN;
UPDATE big SET v = -v WHERE id <= 50 OR id > $rows - 50;
UPDATE big SET v = $rows + 1 + v WHERE v < 0;
UPDATE big SET n = n + 1;
COMMIT;
END
let_pull();
assert_arrived('unique values exchanged between slices');

hold_pulls();
$cluster->sql(1, "DELETE FROM big WHERE id > 1000; UPDATE parted SET n = n + 1");
# Its last question may have been under way; so in the order of the keys, as workers merge.
$cluster->sql(2, 'UPDATE big SET n = n + 1 WHERE id IN
	(SELECT id FROM big WHERE id % 100 = 0 AND id < 20000 ORDER BY id FOR UPDATE)');
let_pull();
assert_arrived('deletions, with updates meanwhile');
is($cluster->sql(2, 'SELECT count(*) FROM big'), $cluster->sql(1, 'SELECT count(*) FROM big'), 'as many rows');

# --------------------------------------------- keys with neighbours, or without

$cluster->sql(1, <<'END');
INSERT INTO pairs SELECT chr(97 + i % 26), i, 1 FROM generate_series(1, 12000, 3) i;
INSERT INTO pairs SELECT chr(97 + i % 26), i, 2 FROM generate_series(1, 20000) i WHERE i % 3 <> 1;
DELETE FROM pairs WHERE n % 7 = 0 OR t IN ('c', 'd', 'e');
INSERT INTO pairs SELECT chr(97 + i % 26), i, 3 FROM generate_series(1, 20000) i
	ON CONFLICT (t, n) DO UPDATE SET v = excluded.v;
END
assert_arrived('keys of two columns');

# ------------------------------------------------------------- the other way

$cluster->failpoint(2, 'pull-slice', 'error');
hold_pulls();
$cluster->sql(1, <<"END");
BEGIN;
TRUNCATE big;
INSERT INTO big SELECT i, i, i, NULL FROM generate_series(1, $rows) i;
COMMIT;
END
let_pull();
assert_arrived('a TRUNCATE goes the ordinary way');
$cluster->failpoint(2, 'pull-slice', 'off');

$cluster->sql(2, 'ALTER SYSTEM SET topgun.merge_workers = 0');
$cluster->sql(2, 'SELECT pg_reload_conf()');
ok($cluster->wait_for_sync, 'in sync');
$cluster->failpoint(2, 'pull-slice', 'error');
$cluster->sql(1, 'UPDATE big SET n = n - 1');
assert_arrived('no workers are wanted');
$cluster->failpoint(2, 'pull-slice', 'off');

# ---------------------------------- triggers of a batch, and what they write

$cluster->sql(1, 'ALTER TABLE watched DISABLE TRIGGER keep_few');
$cluster->sql(1, 'INSERT INTO watched SELECT i, i FROM generate_series(1, 300) i');
$cluster->sql(1, 'UPDATE watched SET n = 0 WHERE id > 250');
ok($cluster->wait_for_sync, 'in sync');
is($cluster->sql(2, q{SELECT string_agg(op || ' ' || n, ', ' ORDER BY op)
	FROM (SELECT op, count(*) AS n FROM fired GROUP BY op) f}),
	'INSERT 300, UPDATE 50', 'they fired once for each row');
is($cluster->sql(1, 'SELECT count(*) FROM watched'), 100, 'the deletions are local writes: they travel');

$cluster->assert_converged;
done_testing();
