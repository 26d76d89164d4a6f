# The tree that is derived from the rows is the one that the fold has made, at
# any moment: under load, with transactions that are open for long, stopped
# between any two of its steps.  Damage past the trigger is found, once.
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2, settings => "topgun.repair_interval = 0\nmax_parallel_workers = 8\n");

sub rebuild
{
	my ($i, $table, $workers) = @_;
	return $cluster->sql($i, "SELECT topgun.merkle_rebuild('$table', $workers)");
}

sub tree
{
	my ($i, $table) = @_;
	return $cluster->sql($i, <<"END");
SELECT root, rows FROM topgun.merkle_tree t JOIN topgun.table_state s USING (table_id)
WHERE s.relid = '$table'::regclass
END
}

# Whatever the number of workers, nothing is wrong and nothing changes.
sub is_right
{
	my ($i, $table, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(rebuild($i, $table, 0), '0', "$what: the tree of $table on node $i is right");
	my $before = tree($i, $table);
	is(rebuild($i, $table, $_), '0', "$what: with $_ workers") foreach 1, 2;
	is(tree($i, $table), $before, "$what: the root stays");
	return;
}

# Run SQL in a session of its own; finish() returns what psql prints.
sub start
{
	my ($i, $sql) = @_;
	my ($out, $error) = ('', '');
	my $node = $cluster->node($i);
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port,
			'-d', 'postgres', '-c', $sql ],
		'<', \undef, '>', \$out, '2>', \$error);
	return { run => $run, out => \$out, error => \$error };
}

sub finish
{
	my ($session) = @_;
	IPC::Run::finish($session->{run});
	my $result = ${ $session->{out} } . ${ $session->{error} };
	chomp($result);
	return $result;
}

# Start a rebuild and wait until it has come to a failpoint.
sub start_rebuild
{
	my ($i, $table, $workers, $point) = @_;
	$cluster->failpoint($i, $point, 'pause');
	my $session = start($i, "SELECT topgun.merkle_rebuild('$table', $workers)");
	my $who = $point eq 'in-scan-worker' ? q{backend_type = 'parallel worker'}
	  : q{query LIKE '%merkle_rebuild%' AND pid <> pg_backend_pid()};
	$cluster->wait_until($i, "SELECT count(*) > 0 FROM pg_stat_activity WHERE $who AND wait_event_type = 'Extension'")
	  or die "the rebuild has not come to $point";
	return $session;
}

sub waits_for_lock
{
	my ($i, $like) = @_;
	return $cluster->wait_until($i, qq{SELECT count(*) > 0 FROM pg_stat_activity
		WHERE query LIKE '$like' AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'}, 20);
}

my @steps = qw(rebuild-has-horizon rebuild-has-snapshot in-scan-worker rebuild-has-scanned rebuild-has-lock);

# --------------------------------------------------------------- SQL surface
$cluster->on_all(<<'END');
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE apart (id int PRIMARY KEY);
CREATE TABLE wide (k numeric, gone int, big text, sum int GENERATED ALWAYS AS (x + 1) STORED, x int, PRIMARY KEY (big, k));
ALTER TABLE wide DROP COLUMN gone, ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE parts (id int, region int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parts_1 (v text, junk int, id int NOT NULL, region int NOT NULL);
ALTER TABLE parts_1 DROP COLUMN junk;
ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2, 3) PARTITION BY LIST (region);
CREATE TABLE parts_2_2 PARTITION OF parts_2 FOR VALUES IN (2);
CREATE TABLE parts_2_3 PARTITION OF parts_2 FOR VALUES IN (3);
END
$cluster->sql(1, q{INSERT INTO plain SELECT i, 'before' FROM generate_series(1, 500) i});
$cluster->add_table($_) foreach 'plain', 'wide', 'parts';
is_right(1, 'plain', 'rows that were there before');

foreach my $case (
	[ "SELECT topgun.merkle_rebuild('apart')", '55000', qr/not replicated/ ],
	[ "SELECT topgun.merkle_rebuild('plain_pkey')", '55000', qr/not replicated/ ],
	[ "SELECT topgun.merkle_rebuild('parts_2_3')", '42809', qr/HINT.*"parts"/ ],
	[ "SELECT topgun.merkle_rebuild('plain', -1)", '22023', qr/negative/ ],
	[ 'SELECT topgun.merkle_rebuild(NULL)', '22004', qr/must not be null/ ],
	[ 'SELECT topgun.merkle_rebuild(4::regclass)', '42P01', qr/does not exist/ ],
	[ "BEGIN; DELETE FROM plain WHERE id = 1; SELECT topgun.merkle_rebuild('plain')", '25001', qr/Commit first/ ],
	[ "BEGIN READ ONLY; SELECT topgun.merkle_rebuild('plain')", '25006', qr/read-only/ ])
{
	my ($state, $message) = $cluster->error_of(1, $case->[0]);
	is($state, $case->[1], "$case->[0]: SQLSTATE");
	like($message, $case->[2], "$case->[0]: message");
}
$cluster->sql(1, 'CREATE ROLE stranger');
is(($cluster->error_of(1, "SET ROLE stranger; SELECT topgun.merkle_rebuild('plain')"))[0], '42501',
	'not for everybody');
$cluster->sql(1, 'GRANT EXECUTE ON FUNCTION topgun.merkle_rebuild(regclass, int) TO stranger');
is(($cluster->error_of(1, "SET ROLE stranger; SELECT topgun.merkle_rebuild('plain')"))[0], '42501',
	'only for the owner');
is($cluster->sql(1, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT topgun.merkle_rebuild('plain'); SELECT topgun.merkle_rebuild('parts', 2); COMMIT"),
	"0\n0", 'two tables in one serializable transaction');
is($cluster->sql(1, "SELECT topgun.merkle_rebuild('topgun.node')"), '0', 'the tables of the cluster have trees');
is($cluster->sql(1, "SET max_parallel_workers = 0; SELECT topgun.merkle_rebuild('plain', 4)"), '0', 'no worker to be had');

# -------------------------------------------------------------- mixed changes
my $times = 0;
sub change
{
	my ($i) = @_;
	my $far = 1_000_000 * ++$times;
	$cluster->sql($i, <<"END");
INSERT INTO plain SELECT i, 'n$i' FROM generate_series(1, 20000) i ON CONFLICT (id) DO UPDATE SET v = 'again';
UPDATE plain SET v = 'odd' WHERE id % 2 = 1;
DELETE FROM plain WHERE id % 7 = 0;
BEGIN; SAVEPOINT a; UPDATE plain SET id = -id WHERE id < 300; ROLLBACK TO a; SAVEPOINT b;
UPDATE plain SET id = id + $far WHERE id < 200; DELETE FROM plain WHERE id = 500; RELEASE b; COMMIT;
BEGIN; DELETE FROM plain; ROLLBACK;
INSERT INTO wide (k, big, x) SELECT i, repeat('key ' || i, 200), i FROM generate_series(1, 300) i ON CONFLICT DO NOTHING;
UPDATE wide SET x = x + 1 WHERE k % 3 = 0; DELETE FROM wide WHERE k % 5 = 0;
INSERT INTO parts SELECT $far + i, 1 + i % 3, repeat('toast me', 1000) || i FROM generate_series(1, 600) i;
UPDATE parts SET region = 1 + (region % 3) WHERE id > $far AND id % 10 = 1; DELETE FROM parts WHERE id % 11 = 0;
END
	return;
}
change($_ % 2 + 1) foreach 0 .. 2;
$cluster->sql(1, q{TRUNCATE parts_2_2; INSERT INTO parts SELECT i, 2, 'new' FROM generate_series(1, 50) i});
$cluster->sql(1, q{BEGIN; INSERT INTO wide (k, big) VALUES (-1, 'x'); TRUNCATE wide;
	INSERT INTO wide (k, big) SELECT i, 'after' FROM generate_series(1, 70) i; DELETE FROM wide WHERE k < 10; COMMIT});
$cluster->assert_converged;
foreach my $i (1, 2)
{
	is_right($i, $_, 'mixed changes') foreach 'plain', 'wide', 'parts';
}

# ----------------------------------------- stopped between any two of its steps
# Transactions that began before and end now, begin now and end now, or begin
# now and end later.
my $serial = 0;
foreach my $table ('plain', 'parts')
{
	foreach my $step (@steps)
	{
		my $key = 900_000_000 + 100 * ++$serial;
		my $row = sub { my ($n, $v) = @_;
			return $table eq 'plain' ? '(' . ($key + $n) . ", '$v')" : '(' . ($key + $n) . ", 1 + $n % 3, '$v')" };
		my $session = $cluster->node(1)->background_psql('postgres');
		my $later = $cluster->node(1)->background_psql('postgres');
		$cluster->sql(1, "INSERT INTO $table VALUES " . join(', ', map { $row->($_, 'old') } 1 .. 20));
		$session->query_safe("BEGIN; UPDATE $table SET v = 'long' WHERE id BETWEEN $key + 1 AND $key + 5;
			DELETE FROM $table WHERE id = $key + 6; INSERT INTO $table VALUES " . $row->(30, 'long'));

		my $rebuild = start_rebuild(1, $table, 2, $step);
		$later->query_safe("BEGIN; UPDATE $table SET v = 'later' WHERE id BETWEEN $key + 7 AND $key + 9;
			DELETE FROM $table WHERE id = $key + 10; INSERT INTO $table VALUES " . $row->(31, 'later'));
		$session->query_safe('COMMIT');
		$cluster->sql(1, "UPDATE $table SET v = 'now' WHERE id BETWEEN $key + 3 AND $key + 6;
			DELETE FROM $table WHERE id = $key + 11; INSERT INTO $table VALUES " . $row->(32, 'now'));
		$cluster->failpoint(1, $step, 'off');
		is(finish($rebuild), '0', "$table, stopped at $step: nothing is wrong");
		$later->query_safe('COMMIT');
		is(rebuild(1, $table, 1), '0', "$table, after $step: nothing is wrong");
		$_->quit foreach $session, $later;
	}
}

# ------------------------------------------------ TRUNCATE and ALTER TABLE wait
foreach my $step (@steps)
{
	$cluster->sql(1, q{INSERT INTO plain SELECT i, 'full' FROM generate_series(1, 200) i ON CONFLICT DO NOTHING});
	my $rebuild = start_rebuild(1, 'plain', 1, $step);
	my $truncate = start(1, q{TRUNCATE plain; INSERT INTO plain VALUES (1, 'new')});
	ok(waits_for_lock(1, 'TRUNCATE plain%'), "TRUNCATE waits for a rebuild at $step");
	$cluster->failpoint(1, $step, 'off');
	is(finish($rebuild), '0', "TRUNCATE at $step: nothing is wrong");
	is(finish($truncate), '', 'it goes on');
	is(rebuild(1, 'plain', 0), '0', 'nothing is wrong after it');
	like(tree(1, 'plain'), qr/\|1$/, 'there is one row');
}

# A partition that comes with its rows, while its table is scanned.
$cluster->on_all('CREATE TABLE parts_4 (id int, region int, v text, PRIMARY KEY (region, id))');
$cluster->sql(1, q{INSERT INTO parts_4 SELECT i, 4, 'filled' FROM generate_series(1, 100) i});
my $attaching = start_rebuild(1, 'parts', 2, 'rebuild-has-snapshot');
my $attach = start(1, 'ALTER TABLE parts ATTACH PARTITION parts_4 FOR VALUES IN (4)');
ok(waits_for_lock(1, 'ALTER TABLE parts ATTACH%'), 'ATTACH PARTITION waits');
$cluster->failpoint(1, 'rebuild-has-snapshot', 'off');
is(finish($attaching), '0', 'nothing is wrong');
is(finish($attach), '', 'it goes on');
$cluster->sql(2, 'ALTER TABLE parts ATTACH PARTITION parts_4 FOR VALUES IN (4)');
$cluster->assert_converged;
is_right($_, 'parts', 'with a new partition') foreach 1, 2;

# ----------------------------------------------------- damage past the trigger
my %damage = (
	'DELETE FROM plain WHERE id = 10' => 1,
	"INSERT INTO plain VALUES (-1, 'secret')" => 1,
	'UPDATE plain SET topgun_stamp = NULL WHERE id = 20' => 1,
	'DELETE FROM plain WHERE id BETWEEN 30 AND 32' => 3,
	'UPDATE plain SET id = -2 WHERE id = 40' => 2);
$cluster->sql(1, q{TRUNCATE plain; INSERT INTO plain SELECT i, 'full' FROM generate_series(1, 2000) i});
$cluster->assert_converged;
sub damage
{
	my ($table, $sql) = @_;
	return $cluster->sql(1, "BEGIN; ALTER TABLE $table DISABLE TRIGGER topgun_capture; $sql; "
		  . "ALTER TABLE $table ENABLE ALWAYS TRIGGER topgun_capture; COMMIT");
}
foreach my $sql (sort keys %damage)
{
	damage('plain', $sql);
	is(rebuild(1, 'plain', 2), $damage{$sql}, "$sql: this many leaves were wrong");
	is(rebuild(1, 'plain', 0), '0', 'and are right again');
}
$cluster->sql(1, q{UPDATE topgun.merkle_tree SET root = root + 1});
is(rebuild(1, 'plain', 1), '1', 'a damaged root counts');
$cluster->sql(1, q{DELETE FROM topgun.merkle_leaf});
cmp_ok(rebuild(1, 'plain', 1), '>', 1000, 'lost leaves count');
is_right(1, 'plain', 'after all damage');
rebuild(1, $_, 0) foreach 'wide', 'parts', 'topgun.node', 'topgun.replicated_table';
is_right(1, $_, 'after all damage') foreach 'wide', 'parts';

# --------------------------------------------------- the end of those who work
# The tree stays as it was, wrong, and nobody is left behind.
damage('plain', 'DELETE FROM plain WHERE id = 50');
my $wrong = tree(1, 'plain');
my $killed = start_rebuild(1, 'plain', 2, 'in-scan-worker');
$cluster->sql(1, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' LIMIT 1});
like(finish($killed), qr/ERROR:|FATAL:/, 'a worker that is terminated is an error');
$cluster->failpoint(1, 'in-scan-worker', 'off');
is(tree(1, 'plain'), $wrong, 'the tree is as it was');

foreach my $how ('cancel', 'terminate')
{
	foreach my $step (@steps)
	{
		my $ended = start_rebuild(1, 'plain', 2, $step);
		$cluster->sql(1, "SELECT pg_${how}_backend(pid) FROM pg_stat_activity
			WHERE query LIKE '%merkle_rebuild%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()");
		like(finish($ended), $how eq 'cancel' ? qr/canceling/ : qr/terminating|server closed/, "$how at $step");
		$cluster->failpoint(1, $step, 'off');
	}
}
ok($cluster->wait_until(1, q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
	'no worker is left');
is(tree(1, 'plain'), $wrong, 'the tree is as it was');

my $log = -s $cluster->node(1)->logfile;
my $crashed = start_rebuild(1, 'plain', 0, 'rebuild-has-lock');
$cluster->failpoint(1, 'rebuild-has-lock', 'crash');
finish($crashed);
$cluster->wait_restarted(1, $log);
is(tree(1, 'plain'), $wrong, 'the tree is as it was after a crash');
is(rebuild(1, 'plain', 2), '1', 'and then put right');

# ---------------------------------------------------------- several at a time
my $first = start_rebuild(1, 'plain', 1, 'rebuild-has-lock');
my $second = start(1, "SELECT topgun.merkle_rebuild('plain', 1)");
ok(waits_for_lock(1, '%merkle_rebuild%'), 'the second waits for the fold lock');
$cluster->sql(1, q{UPDATE plain SET v = 'between' WHERE id < 100});
$cluster->failpoint(1, 'rebuild-has-lock', 'off');
is(finish($first), '0', 'the first of two');
is(finish($second), '0', 'the second of two');
is_right(1, 'plain', 'after two at a time');

my $folded = start_rebuild(1, 'plain', 0, 'rebuild-has-scanned');
$cluster->sql(1, q{UPDATE plain SET v = 'folded' WHERE id < 100});
$cluster->sql(1, q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'topgun folder'});
$cluster->sql(1, q{UPDATE plain SET v = 'again' WHERE id < 50});
$cluster->failpoint(1, 'rebuild-has-scanned', 'off');
is(finish($folded), '0', 'the folder ends meanwhile');
ok($cluster->wait_until(1, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'topgun folder'}),
	'there is one again');
is_right(1, 'plain', 'after that');

# ------------------------------------------------------------------ under load
$cluster->create_storm_table(2000);
my $seconds = $ENV{TOPGUN_STORM_SECONDS} || 10;
my $storm = $cluster->start_storm($seconds);
my $deadline = time() + $seconds;
my ($rounds, @results) = (0);
while (time() < $deadline || $rounds < 10)
{
	push @results, rebuild(1 + $rounds % 2, 'storm', $rounds % 3);
	$rounds++;
}
ok($cluster->finish_storm($storm), 'the storm is over');
is(scalar(grep { $_ ne '0' } @results), 0, 'the tree was right every time') or diag("@results");
note("measured: $rounds rebuilds under load");
# Not all tables: the damage of one node is not that of the other.
$cluster->assert_converged('storm');
is_right($_, 'storm', 'after the storm') foreach 1, 2;
is(tree(1, 'storm'), tree(2, 'storm'), 'both nodes have the same tree');

# ----------------------------------------------------------------------- scrub
sub log_of
{
	my ($offset, $pattern) = @_;
	my $stop = time() + 30;
	while (time() < $stop)
	{
		return 1 if PostgreSQL::Test::Utils::slurp_file($cluster->node(1)->logfile, $offset) =~ $pattern;
		sleep(0.1);
	}
	return 0;
}

sub set
{
	my (%settings) = @_;
	$cluster->node(1)->append_conf('postgresql.conf', "topgun.$_ = $settings{$_}") foreach keys %settings;
	$cluster->node(1)->reload;
	return;
}

sub differed { my ($table) = @_; return qr/Merkle tree of table public\.$table differed from its rows in 1 leaves/; }

damage('plain', 'DELETE FROM plain WHERE id = 60');
damage('storm', "INSERT INTO storm VALUES (-1, 0, '')");
damage('parts_1', "INSERT INTO parts VALUES (-1, 1, '')");
$log = -s $cluster->node(1)->logfile;
set(scrub_share => 0, repair_interval => "'100ms'");
sleep(2);
ok(PostgreSQL::Test::Utils::slurp_file($cluster->node(1)->logfile, $log) !~ /Merkle tree/, 'a share of zero: nothing is scrubbed');
set(scrub_share => 0.3);
ok(log_of($log, differed($_)), "the scrub has found the damage of $_") foreach 'plain', 'storm', 'parts_1' =~ s/_1//r;
is(rebuild(1, $_, 0), '0', "$_ is right again") foreach 'plain', 'storm', 'parts';
damage('plain', 'DELETE FROM plain WHERE id = 61');
$log = -s $cluster->node(1)->logfile;
set(scrub_share => 1, repair_interval => "'1s'");
ok(log_of($log, differed('plain')), 'with a share of one, all at once');
set(repair_interval => 0);

$cluster->stop;
done_testing();
