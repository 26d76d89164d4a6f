# topgun.diagnose() says what is wrong: each of its findings, brought about.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep);
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2, settings => "topgun.merge_workers = 2\n");
my $node = $cluster->node(1);

sub findings
{
	my ($thorough) = @_;
	return $cluster->sql(1, 'SELECT severity, object, finding, what_to_do FROM topgun.diagnose('
		. ($thorough ? 'thorough => true' : '') . ') ORDER BY object COLLATE "C"');
}

# Wait until there is a finding, and have it tell what to do.
sub finds
{
	my ($pattern, $what, $thorough) = @_;
	my $found = '';
	for (1 .. 300)
	{
		$found = findings($thorough);
		last if $found =~ $pattern;
		sleep(0.1);
	}
	like($found, $pattern, $what);
	return;
}

is(findings(1), '', 'a node that is well');

$cluster->on_all('CREATE TABLE parent (id int PRIMARY KEY);
	CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
	CREATE TABLE t (id int PRIMARY KEY, v int)');
$cluster->add_table($_) foreach qw(parent child t);
$cluster->sql(1, 'INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)');
$cluster->wait_for_sync;
is(findings(1), '', 'with tables, still well');

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
$cluster->sql(1, 'ALTER TABLE t DROP CONSTRAINT positive');
$cluster->sql(1, 'UPDATE topgun.quarantine SET last_try = now() - interval \'1 hour\'');
ok($cluster->wait_until(1, 'SELECT count(*) = 0 FROM topgun.quarantine'), 'it is applied');

$cluster->sql(2, 'ALTER TABLE t ADD COLUMN w int');
$cluster->sql(2, 'INSERT INTO t (id, v, w) VALUES (2, 2, 2)');
finds(qr/^error\|table public.t\|is not replicated at the moment: columns or key differ.*\|Make the table look the same/m,
	'a table that differs');
$cluster->sql(1, 'ALTER TABLE t ADD COLUMN w int');
$cluster->wait_table_state(1, 't', 'synced');

$cluster->sql(2, 'CREATE TABLE elsewhere (id int PRIMARY KEY)');
$cluster->sql(2, "SELECT topgun.add_table('elsewhere')");
finds(qr/^error\|table public.elsewhere\|cannot be replicated here.*does not exist.*\|Create the table here/m,
	'a table that is missing');
$cluster->sql(1, 'CREATE TABLE elsewhere (id int PRIMARY KEY)');
$cluster->wait_attached(1, 'elsewhere');

$node->append_conf('postgresql.conf', "topgun.clock_offset = '5s'\n");
$node->reload;
ok($cluster->wait_until(1, q{SELECT clock_ahead_ms < 1000 AND current_setting('topgun.clock_offset') = '5s' FROM topgun.status}), 'the wall clock goes ahead');
$cluster->sql(1, 'INSERT INTO parent VALUES (5)');
$node->append_conf('postgresql.conf', "topgun.clock_offset = 0\n");
$node->reload;
finds(qr/^warning\|clock\|the clock of this node runs \d+ ms ahead.*\|.*compare the times of the servers/m,
	'a clock that is ahead');

$cluster->node(2)->stop('immediate');
finds(qr/^error\|peer node2\|cannot be reached.*\|See whether the server runs/m, 'a peer that is down');
$cluster->node(2)->start;
ok($cluster->wait_until(1, "SELECT state = 'streaming' FROM topgun.stat_peer"), 'it is back');

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

ok($cluster->wait_until(1, "SELECT state = 'streaming' FROM topgun.stat_peer"), 'all is back');
$cluster->assert_converged;
ok($cluster->wait_until(1, 'SELECT count(*) = 0 FROM topgun.diagnose(thorough => true)'), 'and well again')
	or diag(findings(1));
done_testing();
