# Bad input of every function: an error with its SQLSTATE and a hint where the
# caller can do something, and nothing has changed.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, join => 0);
my $via = TopGun::Cluster::quote($cluster->dsn(1));
my $two = TopGun::Cluster::quote($cluster->dsn(2));

$cluster->on_all(<<'END');
CREATE TABLE good (id int PRIMARY KEY, v text);
CREATE TABLE no_key (id int, v text);
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TABLE taken (id int PRIMARY KEY, topgun_stamp text);
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE heir (extra int, PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE piece PARTITION OF whole FOR VALUES FROM (0) TO (10);
CREATE TABLE odd_type (id int PRIMARY KEY, a aclitem);
CREATE VIEW looks AS SELECT * FROM good;
CREATE SEQUENCE counting;
CREATE INDEX good_v ON good (v);
CREATE ROLE nobody_special;
GRANT ALL ON good TO nobody_special;
END

# What must not change: catalog, metadata and data of a node.
sub state_of
{
	my ($i) = @_;
	return $cluster->sql($i, <<'END');
SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2;
SELECT id, name, state FROM topgun.node ORDER BY 1;
SELECT id, schema_name, table_name, options FROM topgun.replicated_table ORDER BY 1;
SELECT * FROM topgun.local_node;
SELECT id, v FROM good ORDER BY 1;
END
}

# fails(node, sql, SQLSTATE, has a hint, what)
sub fails
{
	my ($i, $sql, $expected, $hint, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = state_of($i);
	my ($state, $message) = $cluster->error_of($i, $sql);
	is($state, $expected, $what) or diag($message);
	like($message, qr/HINT:/, "$what: with a hint") if $hint;
	unlike($message, qr/server closed the connection|XX000/, "$what: the server is well") if $state eq '';
	is(state_of($i), $before, "$what: nothing has changed");
	return;
}

# ------------------------------------------------------- before there is a cluster
fails(1, q{SELECT topgun.add_table('good')}, 'TG007', 1, 'add_table on a database that is no node');
fails(1, q{SELECT topgun.remove_table('good')}, 'TG007', 1, 'remove_table on a database that is no node');
fails(1, q{SELECT topgun.wait_for_sync()}, 'TG007', 1, 'wait_for_sync on a database that is no node');
fails(1, q{SELECT topgun.current_stamp()}, 'TG007', 1, 'current_stamp on a database that is no node');
fails(1, q{SELECT topgun.unique_id()}, 'TG007', 1, 'unique_id on a database that is no node');
fails(1, q{SELECT topgun.create_cluster('', 'host=x')}, '42602', 0, 'a cluster with an empty node name');
fails(1, qq{SELECT topgun.create_cluster('a', 'this is no = = dsn')}, '22023', 0, 'a dsn that cannot be read');
fails(1, qq{SET ROLE nobody_special; SELECT topgun.create_cluster('a', $via)}, '42501', 0, 'create_cluster by anybody');
fails(2, qq{SELECT topgun.join('b', $two, $via)}, 'TG007', 0, 'join by way of a database that is no node');
fails(2, qq{SELECT topgun.join('b', $two, 'host=/nowhere')}, '08006', 0, 'join by way of nowhere');

$cluster->create_cluster(1);
fails(1, qq{SELECT topgun.create_cluster('again', $via)}, '55000', 0, 'a second cluster in one database');
fails(1, qq{SELECT topgun.join('again', $via, $two)}, '55000', 0, 'a member joins');
fails(2, qq{SELECT topgun.join('node1', $two, $via)}, '42710', 0, 'a name that is taken');
fails(2, qq{SELECT topgun.join('', $two, $via)}, '42602', 0, 'an empty name');
fails(2, qq{SELECT topgun.join(NULL, $two, $via)}, '22004', 0, 'no name');
fails(2, qq{SET ROLE nobody_special; SELECT topgun.join('b', $two, $via)}, '42501', 0, 'join by anybody');
is($cluster->sql(1, 'SELECT count(*) FROM topgun.node'), '1', 'failed joins leave no node behind');

# A node whose database has another encoding, and one whose table differs.
my $latin = PostgreSQL::Test::Cluster->new('latin');
$latin->init(extra => [ '--encoding=LATIN1', '--locale=C' ]);
$latin->append_conf('postgresql.conf', "shared_preload_libraries = 'topgun'\nmax_worker_processes = 32");
$latin->start;
$latin->safe_psql('postgres', 'CREATE EXTENSION topgun');
my ($code, $out, $message) = $latin->psql('postgres',
	"\\set VERBOSITY verbose\nSELECT topgun.join('latin', 'host=" . $latin->host . ' port=' . $latin->port
	  . " dbname=postgres', $via)");
isnt($code, 0, 'a database with another encoding may not join');
like($message, qr/encoding/i, 'and the error says so');
$latin->stop;

$cluster->join_node(2);

# ------------------------------------------------------------- add and remove
fails(1, q{SELECT topgun.add_table('nothing')}, '42P01', 0, 'a table that does not exist');
fails(1, q{SELECT topgun.add_table(NULL)}, '22004', 0, 'no table');
fails(1, q{SELECT topgun.add_table('no_key')}, '55000', 1, 'a table without primary key');
fails(1, q{SELECT topgun.add_table('deferred')}, '55000', 1, 'a deferrable primary key');
fails(1, q{CREATE TEMP TABLE t (id int PRIMARY KEY); SELECT topgun.add_table('t')}, '0A000', 0, 'a temporary table');
fails(1, q{SELECT topgun.add_table('unlogged')}, '0A000', 0, 'an unlogged table');
fails(1, q{SELECT topgun.add_table('taken')}, '42701', 0, 'a column of that name');
fails(1, q{SELECT topgun.add_table('parent')}, '0A000', 0, 'a table with heirs');
fails(1, q{SELECT topgun.add_table('heir')}, '0A000', 0, 'an heir');
fails(1, q{SELECT topgun.add_table('piece')}, '42809', 1, 'a partition');
fails(1, q{SELECT topgun.add_table('odd_type')}, '0A000', 0, 'a type that cannot be sent');
fails(1, q{SELECT topgun.add_table('looks')}, '42809', 0, 'a view');
fails(1, q{SELECT topgun.add_table('counting')}, '42809', 0, 'a sequence');
fails(1, q{SELECT topgun.add_table('good_v')}, '42809', 0, 'an index');
fails(1, q{SELECT topgun.add_table('pg_class')}, '42501', 0, 'a catalog');
fails(1, q{SELECT topgun.add_table('topgun.node')}, '42710', 0, 'a table of topgun');
fails(1, q{SELECT topgun.add_table('good', '[]')}, '22023', 0, 'options that are no object');
fails(1, q{SELECT topgun.add_table('good', '{"stamping": "never"}')}, '22023', 0, 'an option with a wrong value');
fails(1, q{SELECT topgun.add_table('good', '{"staming": "trigger"}')}, '22023', 0, 'a misspelt option');
fails(1, q{SET ROLE nobody_special; SELECT topgun.add_table('good')}, '42501', 0, 'add_table by one who does not own it');
fails(1, q{SELECT topgun.remove_table('good')}, '55000', 0, 'remove what is not replicated');
$cluster->{count} = 2;
$cluster->add_table('good');
fails(1, q{SELECT topgun.add_table('good')}, '42710', 0, 'add a table twice');
fails(2, q{SELECT topgun.add_table('good')}, '42710', 0, 'add a table twice, on another node');
fails(1, q{SET ROLE nobody_special; SELECT topgun.remove_table('good')}, '42501', 0, 'remove_table by one who does not own it');

# ------------------------------------------------------------------ stamps
$cluster->sql(1, q{INSERT INTO good VALUES (1, 'here')});
fails(1, q{SELECT '2026-11-23'::topgun.stamp}, '22P02', 0, 'half a stamp');
fails(1, q{SELECT '2026-11-23 08:04:12.123Z/5@1024'::topgun.stamp}, '22P02', 0, 'a node out of range');
fails(1, q{SELECT ''::topgun.stamp}, '22P02', 0, 'an empty stamp');

# A stamp that a client makes up is replaced by a fresh one.
$cluster->sql(1, q{INSERT INTO good VALUES (2, 'x', '2020-01-01 00:00:00.000Z/1@7'), (4, 'x', NULL)});
is($cluster->sql(1, q{SELECT count(*) FROM good WHERE topgun.stamp_node(topgun_stamp) = 1
	AND now() - topgun.stamp_time(topgun_stamp) < '1 min'}), '3', 'made-up stamps are replaced');

# --------------------------------------------------------------- other calls
fails(1, q{SELECT topgun.wait_for_sync('-1 s')}, '22023', 0, 'a negative time-out');
fails(1, q{SELECT topgun.wait_for_sync(NULL)}, '22004', 0, 'no time-out');
fails(1, q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT topgun.wait_for_sync('1 s'); COMMIT}, '00000', 0,
	'wait_for_sync in a long snapshot still answers');
fails(1, q{BEGIN; INSERT INTO good VALUES (9, 'mine'); SELECT topgun.wait_for_sync('1 s'); ROLLBACK}, '00000', 0,
	'wait_for_sync does not wait for its own transaction');
fails(1, q{SELECT topgun_internal.merge_row(1, false)}, '22023', 0, 'merge_row of what is no row');
fails(1, q{SELECT topgun_internal.merge_row(NULL::good, false)}, '22023', 0, 'merge_row of nothing');
fails(1, q{SELECT topgun_internal.merge_row(ROW(1, 'x')::no_key, false)}, '42809', 0, 'merge_row into a table that is local');
fails(1, q{SELECT topgun_internal.failpoint('x', 'explode')}, '22023', 1, 'a failpoint that does what none does');
fails(1, q{SELECT topgun_internal.capture()}, '39P01', 0, 'a trigger function called by hand');
fails(1, q{SET ROLE nobody_special; SELECT topgun_internal.failpoint('x', 'error')}, '42501', 0, 'internals are closed');
fails(1, q{SET ROLE nobody_special; SELECT * FROM topgun.quarantine}, '42501', 0, 'quarantine is not for everybody');
fails(1, q{SET ROLE nobody_special; SELECT dsn FROM topgun.node}, '42501', 0, 'nor are addresses');

# Every function that peers call survives bytes that are no message.
foreach my $function (split(/\n/, $cluster->sql(1, <<'END')))
SELECT p.oid::regprocedure FROM pg_proc p
WHERE pronamespace = 'topgun_internal'::regnamespace AND proargtypes = '17'::oidvector
END
{
	my $name = $function =~ s/\(.*//r;
	foreach my $bytes ('', '\x00', '\x5447010100', '\x544701', '\x' . 'ff' x 64, '\x54470199' . '00' x 64)
	{
		fails(1, "SELECT $name('$bytes'::bytea)", 'TG009', 0, "$name of bad bytes");
	}
}

fails(3, qq{SELECT topgun.join('b', 'host=/nowhere', $via)}, '08006', 0, 'a dsn at which the node is not reached');
fails(3, qq{SELECT topgun.join('b', $via, $via)}, '22023', 0, 'a dsn that leads to another node');
fails(3, q{SELECT topgun.create_cluster('a', '')}, '22023', 0, 'an empty dsn');
fails(3, q{SELECT topgun.create_cluster('a', 'host=x password=secret')}, '22023', 1, 'a dsn with a password');

# An ordinary user with rights on the table may write it, and only that.
$cluster->sql(1, q{SET ROLE nobody_special; INSERT INTO good VALUES (3, 'by anybody'); UPDATE good SET v = 'too' WHERE id = 1});
$cluster->assert_converged;

$cluster->stop;
done_testing();
