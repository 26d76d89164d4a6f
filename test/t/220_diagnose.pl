# topgun.diagnose() says what is wrong: each of its findings, brought about.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, links => 1, settings => <<'END');
topgun.merge_workers = 2
topgun.heartbeat_interval = '100ms'
topgun.confirmation_timeout = '1h'
topgun.repair_interval = '200ms'
topgun.fold_interval = '100ms'
topgun.journal_segment_size = '64kB'
topgun.journal_max_size = '512kB'
END
my $node = $cluster->node(1);

# Of node 1, or of the one that looks.
my $looking = 1;

sub findings
{
	my ($thorough) = @_;
	return $cluster->sql($looking, 'SELECT severity, object, finding, what_to_do FROM topgun.diagnose('
		. ($thorough ? 'thorough => true' : '') . ') ORDER BY object COLLATE "C"');
}

# Wait until there is a finding, and have it tell what to do.
sub finds
{
	my ($pattern, $what, $thorough) = @_;
	my $found = '';
	for (1 .. 200)
	{
		$found = findings($thorough);
		last if $found =~ $pattern;
		sleep(0.1);
	}
	like($found, $pattern, $what);
	return;
}

sub is_well
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($cluster->wait_until($looking, 'SELECT count(*) = 0 FROM topgun.diagnose(thorough => true)', 60), $what)
		or diag(findings(1));
	return;
}

sub set
{
	my ($i, $setting, $value) = @_;
	$cluster->sql($i, "ALTER SYSTEM SET $setting = '$value'");
	$cluster->sql($i, 'SELECT pg_reload_conf()');
	$cluster->wait_until($i, "SELECT current_setting('$setting') = '$value'", 20);
	return;
}

is_well('a node that is well');

$cluster->on_all('CREATE TABLE parent (id int PRIMARY KEY);
	CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
	CREATE TABLE t (id int PRIMARY KEY, v int)');
$cluster->add_table($_) foreach qw(parent child t);
$cluster->sql(1, 'INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)');
$cluster->wait_for_sync;
is_well('with tables, still well');

$cluster->sql(1, 'CREATE TABLE no_key (v int)');
finds(qr/^notice\|table public.no_key\|has no primary key.*\|Add a primary key/m, 'table without a primary key');
$cluster->sql(1, 'DROP TABLE no_key');

$cluster->sql(2, "BEGIN; SET session_replication_role = replica; DELETE FROM parent WHERE id = 2; COMMIT");
$cluster->wait_for_sync;
finds(qr/^warning\|table public.child\|1 rows refer to rows of public.parent that are not there.*\|.*Delete the orphans/m,
	'orphans', 1);
unlike(findings(), qr/child/, 'which are only looked for if asked');
$cluster->sql(1, 'DELETE FROM child WHERE id = 2');

$cluster->sql(1, 'ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0)');
$cluster->sql(2, 'INSERT INTO t VALUES (1, -1)');
finds(qr/^error\|table public.t\|1 rows from peers could not be applied.*positive.*\|Remove what is in the way/m,
	'a row in quarantine');
finds(qr/^warning\|table public.t\|differs from a peer in 1 of 65536 leaves.*\|Repair should have mended that/m, 'a difference that stays');
$cluster->sql(1, 'ALTER TABLE t DROP CONSTRAINT positive');
$cluster->sql(1, 'UPDATE topgun.quarantine SET last_try = now() - interval \'1 hour\'');
ok($cluster->wait_until(1, 'SELECT count(*) = 0 FROM topgun.quarantine'), 'it is applied');

$cluster->sql(2, 'ALTER TABLE t ADD COLUMN w int');
$cluster->sql(2, 'INSERT INTO t (id, v, w) VALUES (2, 2, 2)');
finds(qr/^error\|table public.t\|is not replicated at the moment: columns or key differ.*\|Make the table look the same/m,
	'a table that differs');
$cluster->failpoint(1, 'copy-piece', 'pause');
$cluster->sql($_, 'ALTER TABLE t ADD COLUMN w int') foreach 1, 3;
finds(qr/^notice\|table public.t\|is being copied\|Wait; see topgun.progress/m, 'a table that is copied');
$cluster->failpoint(1, 'copy-piece', 'off');
$cluster->wait_table_state($_, 't', 'synced') foreach 1, 3;

$cluster->sql(2, 'CREATE TABLE elsewhere (id int PRIMARY KEY)');
$cluster->sql(2, "SELECT topgun.add_table('elsewhere')");
finds(qr/^error\|table public.elsewhere\|cannot be replicated here.*does not exist.*\|Create the table here/m,
	'a table that is missing');
$cluster->sql($_, 'CREATE TABLE elsewhere (id int PRIMARY KEY)') foreach 1, 3;
$cluster->wait_attached($_, 'elsewhere') foreach 1, 3;

# ---------------------------------------------------------------------- versions
$cluster->{proxy}->set(1, 2, 'reset');
$cluster->{proxy}->set(1, 2, 'major16');
finds(qr/^notice\|peer node2\|runs PostgreSQL 16, this node \d+\|/m, 'another major of PostgreSQL');
$cluster->sql(2, q{UPDATE pg_extension SET extversion = '0.9' WHERE extname = 'topgun'});
$cluster->{proxy}->set(1, 2, 'reset');
$cluster->{proxy}->set(1, 2, 'pass');
finds(qr/^warning\|peer node2\|has topgun 0.9, this node 1.0\|Install the newer version/m, 'another version of topgun');
$cluster->sql(2, q{UPDATE pg_extension SET extversion = '1.0' WHERE extname = 'topgun'});
$cluster->cut_link(1, 2);
$cluster->heal_link(1, 2);
is_well('as before');

# ------------------------------------------------------------------------- clocks
set(1, 'topgun.max_clock_drift', '1s');
foreach my $id (20, 21)
{
	# a puller takes the setting when it has ended what it was about to do
	$cluster->sql($_, "INSERT INTO parent VALUES ($id + 10 * $_)") foreach 2, 3;
	$cluster->wait_for_sync;
}
set(3, 'topgun.clock_offset', '3s');
finds(qr/^warning\|peer node3\|its wall clock is (29|30)\d\d ms ahead of that of this node\|Compare the wall clocks/m,
	'a peer whose wall clock is ahead');
$cluster->sql(3, 'INSERT INTO parent VALUES (3)');
finds(qr/^error\|peer node3\|sends stamps that are too far ahead: .*\|Compare the wall clocks/m, 'whose stamps are, too');
set(3, 'topgun.clock_offset', '0');
set(1, 'topgun.clock_offset', '4s');
finds(qr/^warning\|peer node2\|its wall clock is (39|40)\d\d ms behind that of this node\|/m, 'and one that is behind');
$cluster->sql(1, 'SELECT clock FROM topgun.status');
finds(qr/^error\|clock\|the clock of this node is more than 1s ahead of a majority's: it refuses writes\|Correct the system clock/m,
	'our own clock, ahead of a majority');
set(1, 'topgun.clock_offset', '0');
finds(qr/^warning\|clock\|the clock of this node runs \d+ ms ahead.*\|.*compare the times of the servers/m,
	'a clock that was ahead');
set(1, 'topgun.max_clock_drift', '60s');
is_well('when time has passed');

# -------------------------------------------------------------------------- workers
$cluster->failpoint(1, 'fold-before-apply', 'exit');
$cluster->sql(1, 'INSERT INTO parent VALUES (10)');
finds(qr/^error\|worker folder\|is not running and has failed \d+ times in a row\|See the server log/m, 'a worker that cannot run');
$cluster->failpoint(1, 'fold-before-apply', 'off');
is_well('it runs again');

# ----------------------------------------------------------------------- the journal
# Node 3 does not read what node 1 writes.
$cluster->failpoint(3, 'link-1', 'pause');
my $write = 'INSERT INTO t SELECT COALESCE(max(id), 0) + 1, 1 FROM t';
my $full = 0;
for (1 .. 400)
{
	$cluster->sql(1, join(';', ($write) x 100));
	$full = $cluster->sql(1, 'SELECT journal_bytes > 450 * 1024 FROM topgun.status') eq 't' &&
	  findings() =~ /^warning\|journal\|/m;    # else a segment that all had read was emptied since
	last if $full;
}
ok($full, 'the journal grows');
finds(qr/^warning\|journal\|[45]\d\d kB of 512kB are used.*\|See which peer is behind/m, 'a journal that is about to be cut');
$looking = 3;
$cluster->failpoint(3, 'return-begins', 'pause');
my $cut = 0;
for (1 .. 400)
{
	$cluster->sql(1, join(';', ($write) x 100));
	$cut = $cluster->sql(1, q{SELECT j.cut OPERATOR(topgun.>) p.acknowledged_position FROM topgun.journal_state AS j, topgun.stat_peer AS p WHERE name = 'node3'}) eq 't';
	last if $cut;
}
ok($cut, 'it is cut');
$cluster->failpoint(3, 'link-1', 'off');
finds(qr/^error\|peer node1\|its journal no longer reaches back to where this node has read\|Nothing: it comes back by difference/m,
	'who has not read it is behind the cut');
$cluster->failpoint(3, 'return-before-cursor', 'pause');
$cluster->failpoint(3, 'return-begins', 'off');
finds(qr/^notice\|peer node1\|this node finds out by difference what it lacks\|Wait/m, 'and returns');
$cluster->failpoint(3, 'return-before-cursor', 'off');
is_well('it has come back');
$looking = 1;

# ------------------------------------------------------------------------ membership
$cluster->node($_)->stop('immediate') foreach 2, 3;
finds(qr/^error\|peer node2\|cannot be reached.*\|See whether the server runs/m, 'a peer that is down');
finds(qr/^error\|node node1\|hears of 0 of 2 other members, and so of no majority\|See topgun.stat_peer/m, 'a minority');
$cluster->node($_)->start foreach 2, 3;
is_well('they are back');
$cluster->sql(1, "SELECT topgun.evict('node3')");
finds(qr/^notice\|node node3\|was removed from the cluster \d+ s ago\|If it is to come back, use topgun.rejoin/m, 'a node that was removed');
$looking = 3;
finds(qr/^error\|node node3\|is not in the current view of the cluster.*, and it refuses writes\|Bring it back with topgun.rejoin/m,
	'says so itself');
finds(qr/^error\|peer node1\|refuses this node.*\|If this node was removed/m, 'and is refused');
$cluster->sql(3, 'SELECT topgun.rejoin()');
is_well('it has rejoined');
$looking = 1;
ok($cluster->wait_until(1, "SELECT bool_and(state = 'streaming') FROM topgun.stat_peer"), 'all is back');

# ----------------------------------------------- what may have been deleted long ago
# A row of a node that nobody knows, older than a tombstone that is gone.
set($_, 'topgun.tombstone_retention', '0') foreach 1 .. 3;
(my $stamp = $cluster->sql(1, 'INSERT INTO t VALUES (-7, 7) RETURNING topgun_stamp')) =~ s/\n.*//s;
$cluster->wait_for_sync;
$cluster->sql(1, 'DELETE FROM t WHERE id = -7');
ok($cluster->wait_until(1, "SELECT gc_floor OPERATOR(topgun.>) '$stamp' FROM topgun.gc_state"), 'a tombstone was collected');
(my $foreign = $stamp) =~ s/\@1$/\@77/;
is($cluster->sql(1, "SELECT topgun_internal.merge_row(ROW(-7, 7, '$foreign', NULL)::t)"), 'quarantined', 'an older row comes');
finds(qr/^error\|table public.t\|1 rows from peers could not be applied.*\|Write the row anew on any node if it is to live; else use topgun.discard_quarantine/m,
	'a row that may have been deleted');
is($cluster->sql(1, "SELECT topgun.discard_quarantine('t')"), '1', 'it is given up, as advised');
is_well('nothing waits any more');

# -------------------------------------------------------------------- the server itself
$node->append_conf('postgresql.conf', "max_worker_processes = 4\n");
$node->restart;
finds(qr/^warning\|max_worker_processes\|\d+ workers are needed.*is 4\|Raise max_worker_processes/m,
	'too few worker processes');
$node->append_conf('postgresql.conf', "max_worker_processes = 32\nshared_preload_libraries = ''\n");
$node->restart;
finds(qr/^error\|shared_preload_libraries\|does not name topgun.*\|Add topgun to it/m, 'topgun is not loaded');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'topgun'\n");
$node->restart;

$cluster->sql(1, 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION topgun');
like($node->safe_psql('other', 'SELECT * FROM topgun.diagnose()'),
	qr/^notice\|database other\|this database is not a node.*\|Use topgun.create_cluster/m,
	'a database that is no node');

$cluster->assert_converged;
is_well('and well again');

# Last, because its clock will take its time: an hour has passed, it seems.
set($_, 'topgun.max_clock_drift', '1h') foreach 1 .. 3;
$cluster->failpoint(2, 'link-1', 'pause');
$cluster->sql(1, 'INSERT INTO parent VALUES (11)');
set(1, 'topgun.clock_offset', '2min');
finds(qr/^warning\|peer node2\|has not yet merged what was written here 1\d\d s ago\|See topgun.stat_peer and the log there/m, 'a peer that lags');
set(1, 'topgun.clock_offset', '0');
$cluster->failpoint(2, 'link-1', 'off');
$cluster->assert_converged;
done_testing();
