# Stamps live with the rows: freezing, rewriting, dumping and restoring keep
# them.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'v' FROM generate_series(1, 1000) i});
$cluster->wait_for_sync;
$cluster->sql(2, q{UPDATE kv SET v = 'by 2' WHERE id % 3 = 0; DELETE FROM kv WHERE id % 7 = 0});
$cluster->assert_converged;
my $before = $cluster->rows(1, 'kv');
like($before, qr/\@2/, 'stamps name their writer');

# ------------------------------------------------------------------ in place
foreach my $statement ('VACUUM FREEZE kv', 'VACUUM FULL kv', 'CLUSTER kv USING kv_pkey', 'REINDEX TABLE kv',
	'ALTER TABLE kv ALTER v TYPE varchar(100)', 'VACUUM (FREEZE, ANALYZE)')
{
	$cluster->on_all($statement);
	is($cluster->rows(1, 'kv'), $before, "$statement keeps the stamps");
	is($cluster->tree_faults('kv'), '', "$statement keeps the digests");
}
$cluster->sql(2, q{UPDATE kv SET v = 'after' WHERE id = 1});
$cluster->assert_converged;
$before = $cluster->rows(1, 'kv');

# A change of no row of ours: many transactions, then frozen again.
$cluster->sql(1, 'CREATE TABLE other (i int); CREATE PROCEDURE burn() LANGUAGE plpgsql AS
	$$BEGIN FOR i IN 1..2000 LOOP INSERT INTO other VALUES (i); COMMIT; END LOOP; END$$; CALL burn();
	SET vacuum_freeze_min_age = 0; SET vacuum_freeze_table_age = 0');
$cluster->sql(1, 'VACUUM FREEZE');
is($cluster->rows(1, 'kv'), $before, 'old transactions are frozen, stamps stay');

# ------------------------------------------------------------ dump and restore
my $node = $cluster->node(1);
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('copy') ], 'restore');
my $restored = rows_of('copy');
is($restored, rows_of('postgres'), 'a restored table has the same stamps');
is($node->safe_psql('copy', 'SELECT count(*) FROM topgun.local_node'), '0', 'a restored database is no node');
is( $node->safe_psql('copy', 'SELECT count(*) FROM topgun.tombstone'),
	$node->safe_psql('postgres', 'SELECT count(*) FROM topgun.tombstone'), 'tombstones are dumped');

# The data alone, into a replicated table that has been emptied.
$node->command_ok([ 'pg_dump', '-a', '-t', 'kv', '-f', "$dump.data", $node->connstr('postgres') ], 'pg_dump -a');
like(PostgreSQL::Test::Utils::slurp_file("$dump.data"), qr/COPY public\.kv \([^)]*topgun_stamp/, 'the stamp is dumped');
$cluster->sql(1, q{INSERT INTO kv VALUES (-1, 'life goes on')});
$cluster->assert_converged;

$cluster->stop;
done_testing();

sub rows_of
{
	my ($database) = @_;
	return $node->safe_psql($database, 'SELECT id, v, topgun_stamp FROM kv ORDER BY id');
}
