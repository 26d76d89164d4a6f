# Rows that were damaged past the triggers: found by comparing trees, mended in
# both directions, without undoing anything newer.  Repair is between two nodes: a
# third one need not pull what was smuggled in long ago.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, links => 1, settings => <<'END');
topgun.repair_interval = 0
topgun.fold_interval = '100ms'
END

# Do something to a table that no trigger sees.
sub damage
{
	my ($i, $table, $sql) = @_;
	$sql .= ';' if $sql !~ /^\\\.$/m;
	return $cluster->sql($i, <<"END");
BEGIN;
ALTER TABLE $table DISABLE TRIGGER topgun_capture;
$sql
ALTER TABLE $table ENABLE ALWAYS TRIGGER topgun_capture;
COMMIT;
END
}

sub rebuild
{
	my ($i, $table) = @_;
	return $cluster->sql($i, "SELECT topgun.merkle_rebuild('$table')");
}

# The keys and actions of a repair, in the order of the text of the keys.
sub repair
{
	my ($i, $table, $peer, $dry_run) = @_;
	$dry_run = $dry_run ? 'true' : 'false';
	return $cluster->sql($i, <<"END");
SELECT key, action FROM topgun.repair('$table', 'node$peer', $dry_run) ORDER BY key::text COLLATE "C"
END
}

sub leaves
{
	my ($i, $table, $peer) = @_;
	return $cluster->sql($i, "SELECT leaf FROM topgun.merkle_diff('$table', 'node$peer') ORDER BY 1");
}

sub is_mended
{
	my ($table, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$cluster->wait_for_sync;
	$cluster->assert_converged($table);
	return is($cluster->sql(1, "SELECT topgun.converged('$table')"), 't', "$what: the roots are equal");
}

# ------------------------------------------------------------------ one damage
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'v' || i FROM generate_series(1, 1000) i});
$cluster->sql(1, 'DELETE FROM kv WHERE id IN (30, 31)');
$cluster->wait_for_sync;
is(leaves(1, 'kv', $_), '', "nothing differs between 1 and $_") foreach 2, 3;
my $before = $cluster->rows(1, 'kv');

damage(3, 'kv', <<'END');
DELETE FROM kv WHERE id IN (10, 11, 12);
UPDATE kv SET v = 'damaged' WHERE id IN (20, 21);
INSERT INTO kv VALUES (2000, 'smuggled'), (30, 'newer than its tombstone');
COPY kv (id, v, topgun_stamp) FROM stdin;
31	undead	\N
2001	without stamp	\N
\.
END
is(leaves(1, 'kv', 3), '', 'the trees do not know yet');
is(rebuild(3, 'kv'), '9', 'the tree of node 3 is derived anew');

# Afterwards somebody writes two of the rows.
$cluster->sql(1, q{UPDATE kv SET v = 'newer' WHERE id IN (12, 21)});
$cluster->wait_for_sync;

my @differing = split(/\n/, leaves(1, 'kv', 3));
is(scalar(@differing), 7, 'what has been written since does not differ');
is(leaves(3, 'kv', 1), join("\n", @differing), 'seen from the other side');
is(leaves(1, 'kv', 2), '', 'an undamaged node does not differ');
is($cluster->sql(1, q{SELECT sum(local_rows) || ' ' || sum(remote_rows) FROM topgun.merkle_diff('kv', 'node3')}),
	'3 5', 'rows of the leaves');
is($cluster->sql(1, q{SELECT max(differing_leaves), max(oldest_difference_ms) > 0 FROM topgun.stat_table}),
	'7|t', 'the view shows them');

my @rows_before = map { $cluster->rows($_, 'kv') } 1 .. 3;
my $expected = <<'END';
{"id": 10}|pushed
{"id": 11}|pushed
{"id": 2000}|fetched
{"id": 2001}|fetched
{"id": 20}|fetched
{"id": 30}|fetched
{"id": 31}|deleted there
END
chomp($expected);
is(repair(1, 'kv', 3, 1), $expected, 'dry run: what would be done');
is(join('', map { $cluster->rows($_, 'kv') } 1 .. 3), join('', @rows_before), 'and nothing has changed');
my $stamp = $cluster->sql(3, 'SELECT topgun_stamp FROM kv WHERE id = 20');
is(repair(1, 'kv', 3), $expected, 'repair does it');
is($cluster->sql(1, 'SELECT topgun_stamp FROM kv WHERE id = 20'), $stamp, 'stamps are kept');
is($cluster->rows(3, 'kv'), $cluster->rows(1, 'kv'), 'the two are equal');
repair(2, 'kv', 1);
is_mended('kv', 'damage');
is($cluster->sql(2, q{SELECT string_agg(id || v, ' ' ORDER BY id) FROM kv WHERE id IN (12, 21)}),
	'12newer 21newer', 'what was newer is still there');
is(leaves($_, 'kv', 3), '', "nothing differs between $_ and 3") foreach 1, 2;
is(repair(1, 'kv', 3), '', 'a second repair has nothing to do');
cmp_ok($cluster->sql(1, q{SELECT rows_repaired FROM topgun.stat_table WHERE table_name = 'kv'}),
	'>=', 7, 'repaired rows are counted');

# The damaged node repairs itself.  Key 31 has a tombstone there as well.
damage(3, 'kv', <<'END');
DELETE FROM kv WHERE id IN (1, 2);
COPY kv (id, v, topgun_stamp) FROM stdin;
31	undead again	\N
\.
END
rebuild(3, 'kv');
is(repair(3, 'kv', 2), qq({"id": 1}|fetched\n{"id": 2}|fetched\n{"id": 31}|deleted here), 'repair on the damaged node');
is_mended('kv', 'damage mended from the other side');

# ------------------------------------------------------------------- odd keys
# By the hash of its key the first row is in leaf 0, the second in leaf 65535.
$cluster->on_all(<<'END');
CREATE TABLE edge (id int PRIMARY KEY, v text);
CREATE TABLE odd (id text PRIMARY KEY, v text);
CREATE TABLE num (id numeric PRIMARY KEY, v text);
CREATE TABLE part (id int, k text, v text, PRIMARY KEY (k, id)) PARTITION BY LIST (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_rest (v text, k text NOT NULL, id int NOT NULL);
ALTER TABLE part ATTACH PARTITION part_rest DEFAULT;
CREATE TABLE picky (id int PRIMARY KEY, v text);
END
$cluster->sql(3, q{ALTER TABLE picky ADD CHECK (v <> 'bad')});
$cluster->add_table($_) foreach qw(edge odd num part picky);
$cluster->sql(1, q{INSERT INTO edge VALUES (68068, 'leaf 0'), (14083, 'leaf 65535')});
$cluster->sql(1, <<'END');
INSERT INTO odd VALUES ('', NULL), (' ', ''), ('a,b', NULL), ('a|b', 'a,b'), (E'tab\t', E'\n'), ('"', '""'), ($$'$$, '\'),
	('{}', '()'), ('NULL', 'NULL'), (E'\u00c4\u4e2d\U0001F600', 'x'), (repeat('long', 1000), repeat('wide', 100000));
INSERT INTO num VALUES (1.0, 'one'), (100, 'hundred'), ('NaN', 'nan'), (0.00, 'zero');
INSERT INTO part SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' || i END, 'v' || i FROM generate_series(1, 100) i;
END
$cluster->wait_for_sync;
damage(2, 'edge', 'DELETE FROM edge');
rebuild(2, 'edge');
is(leaves(1, 'edge', 2), "0\n65535", 'the first and the last leaf');
is(repair(2, 'edge', 1), qq({"id": 14083}|fetched\n{"id": 68068}|fetched), 'an empty table is filled');
is_mended('edge', 'first and last leaf');
damage(2, 'edge', 'DELETE FROM edge');
rebuild(2, 'edge');
is(repair(1, 'edge', 2), qq({"id": 14083}|pushed\n{"id": 68068}|pushed), 'from the other side');
is_mended('edge', 'first and last leaf from the other side');

damage(2, 'odd', q{UPDATE odd SET v = CASE WHEN v IS NULL THEN '' WHEN v = '' THEN NULL ELSE v || 'x' END});
damage(3, 'odd', 'DELETE FROM odd');
rebuild($_, 'odd') foreach 2, 3;
is($cluster->sql(1, q{SELECT action, count(*) FROM topgun.repair('odd', 'node3') GROUP BY 1}), 'pushed|11', 'odd keys and values are pushed');
is($cluster->sql(1, q{SELECT action, count(*) FROM topgun.repair('odd', 'node2') GROUP BY 1}), 'fetched|11', 'and fetched');
repair(3, 'odd', 2);
is_mended('odd', 'odd keys');
is($cluster->sql(3, q{SELECT count(*) FROM odd WHERE v IS NULL}), '1', 'NULL is not an empty string');

# One number, two spellings; those without a stamp are decided by the merge.
damage(2, 'num', 'UPDATE num SET id = 1.000 WHERE id = 1; UPDATE num SET id = 100.0 WHERE id = 100');
damage(1, 'num', "COPY num (id, v, topgun_stamp) FROM stdin;\n7.0\tseven\t\\N\n\\.");
damage(2, 'num', "COPY num (id, v, topgun_stamp) FROM stdin;\n7.00\tseven\t\\N\n\\.");
rebuild($_, 'num') foreach 1, 2;
isnt(leaves(1, 'num', 2), '', 'spellings differ');
repair(1, 'num', 2);
is(leaves(1, 'num', 2), '', 'spellings are equal');
repair($_, 'num', 3) foreach 1, 2;
is_mended('num', 'numeric scale');
is($cluster->sql(3, 'SELECT count(*), count(DISTINCT id) FROM num'), '5|5', 'each number is there once');

damage(2, 'part', q{DELETE FROM part WHERE id IN (4, 5, 6); UPDATE part SET v = 'damaged' WHERE id IN (7, 8)});
rebuild(2, 'part');
like($cluster->error_of(1, q{SELECT topgun.repair('part_a', 'node2')}), qr/42809/, 'a partition has no tree');
is($cluster->sql(1, q{SELECT action, count(*) FROM topgun.repair('part', 'node2') GROUP BY 1 ORDER BY 1}),
	"fetched|2\npushed|3", 'a partitioned table is repaired');
repair(3, 'part', 2);
is_mended('part', 'partitions');

# A row that one node refuses waits there, and repair leaves it at that.
$cluster->sql(1, q{INSERT INTO picky VALUES (1, 'good'), (2, 'bad')});
$cluster->wait_for_sync;
is($cluster->sql(3, q{SELECT count(*) FROM topgun.quarantine}), '1', 'a row waits in quarantine');
isnt(leaves(1, 'picky', 3), '', 'and is missing from the table');
is(repair(1, 'picky', 3), '{"id": 2}|equal after all', 'there is nothing to repair');
is(repair(3, 'picky', 1), '{"id": 2}|equal after all', 'from neither side');
$cluster->sql(1, q{UPDATE picky SET v = 'good' WHERE id = 2});
is_mended('picky', 'quarantine');

# Rows that were truncated, on a node that does not know of it any more.
$cluster->sql(1, q{TRUNCATE picky});
$cluster->wait_for_sync;
damage(3, 'picky', <<'END');
DELETE FROM topgun.truncation;
COPY picky (id, v, topgun_stamp) FROM stdin;
1	undead	\N
7	undead	\N
\.
END
rebuild(3, 'picky');
repair(1, 'picky', 3);
is($cluster->sql(3, 'SELECT (SELECT count(*) FROM picky), (SELECT count(*) FROM topgun.truncation)'), '0|1', 'truncated again');
is_mended('picky', 'truncation sent');
damage(1, 'picky', <<'END');
DELETE FROM topgun.truncation;
COPY picky (id, v, topgun_stamp) FROM stdin;
7	undead	\N
\.
END
rebuild(1, 'picky');
repair(1, 'picky', 3);
is($cluster->sql(1, 'SELECT (SELECT count(*) FROM picky), (SELECT count(*) FROM topgun.truncation)'), '0|1', 'truncated here');
is_mended('picky', 'truncation received');

# ------------------------------------------------------------------- refusals
my @refusals = (
	[ q{SELECT topgun.merkle_diff('kv', 'nobody')}, '42704', qr/"nobody" is not an active member/, 'unknown node' ],
	[ q{SELECT topgun.merkle_diff('kv', 'node1')}, '22023', qr/"node1" is this node/, 'own name' ],
	[ q{SELECT topgun.repair('pg_class', 'node2')}, '55000', qr/not replicated/, 'table that is not replicated' ],
	[ q{SELECT topgun.repair(NULL, 'node2')}, '22004', qr/must not be null/, 'no table' ],
	[ q{SELECT topgun.verify('kv', NULL)}, '22004', qr/must not be null/, 'no node' ],
	[ q{BEGIN; INSERT INTO kv VALUES (-1); SELECT topgun.repair('kv', 'node2')}, '25001', qr/Commit first/, 'own writes' ],
	[ q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT topgun.repair('kv', 'node2')}, '0A000', qr/READ COMMITTED/, 'isolation level' ],
	[ q{BEGIN READ ONLY; SELECT topgun.repair('kv', 'node2')}, '25006', qr/read-only/, 'read-only transaction' ],
	[ q{SELECT topgun_internal.tree('\x00')}, 'TG009', qr/not one of this version/, 'broken tree request' ],
	[ q{SELECT topgun_internal.leaf_keys('\x54470106')}, 'TG009', qr/not one of this version/, 'broken keys request' ],
	[ q{SELECT topgun_internal.versions('')}, 'TG009', qr/not one of this version/, 'broken versions request' ],
	[ q{SELECT topgun_internal.take('\x54470103')}, 'TG009', qr/broken answer/, 'broken gift' ]);
foreach my $refusal (@refusals)
{
	my ($sql, $state, $message, $what) = @$refusal;
	my ($got_state, $got_message) = $cluster->error_of(1, $sql);
	is($got_state, $state, "$what: SQLSTATE");
	like($got_message, $message, "$what: message");
}
$cluster->sql(1, 'CREATE ROLE nobody LOGIN');
is(($cluster->error_of(1, "SET ROLE nobody; SELECT topgun.$_"))[0], '42501', "$_ is not for everybody")
  foreach q{merkle_diff('kv', 'node2')}, q{repair('kv', 'node2')}, q{verify('kv', 'node2')};

$cluster->cut_link(1, 3);
is(($cluster->error_of(1, q{SELECT topgun.merkle_diff('kv', 'node3')}))[0], '08006', 'a node that is away');
$cluster->heal_link(1, 3);

# -------------------------------------------------------------- cut in between
foreach my $where ('repair-has-versions', 'repair-before-take')
{
	damage(3, 'kv', 'DELETE FROM kv WHERE id BETWEEN 100 AND 199');
	damage(1, 'kv', 'DELETE FROM kv WHERE id BETWEEN 200 AND 299');
	rebuild($_, 'kv') foreach 1, 3;
	$cluster->failpoint(1, $where, 'pause');
	my $session = $cluster->node(1)->background_psql('postgres', on_error_stop => 0);
	$session->query_until(qr/sent/, "\\echo sent\nSELECT count(*) FROM topgun.repair('kv', 'node3');\n");
	ok($cluster->wait_until(1, qq{SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE query LIKE '%topgun.repair%' AND wait_event_type = 'Extension' AND pid <> pg_backend_pid())}), "repair has come to $where");
	sleep(1);
	$cluster->cut_link(1, 3);
	$cluster->failpoint(1, $where, 'off');
	$session->quit;
	$cluster->heal_link(1, 3);
	$cluster->wait_until(1, q{SELECT peers_streaming = 2 FROM topgun.status});
	$cluster->wait_until(3, q{SELECT peers_streaming = 2 FROM topgun.status});
	$cluster->wait_for_sync;
	repair(1, 'kv', 3);
	is_mended('kv', "link cut at $where");
}
is($cluster->sql(1, 'SELECT count(*) FROM kv WHERE id BETWEEN 100 AND 299'), '200', 'all rows are back');

# ----------------------------------------------------------------- by schedule
$cluster->sql($_, q{ALTER SYSTEM SET topgun.repair_interval = '1s'}) foreach 1 .. 3;
$cluster->sql($_, q{ALTER SYSTEM SET topgun.scrub_share = 1; SELECT pg_reload_conf()}) foreach 1 .. 3;
damage(3, 'kv', 'DELETE FROM kv WHERE id <= 50');
damage(2, 'kv', q{UPDATE kv SET v = 'damaged' WHERE id BETWEEN 60 AND 70; INSERT INTO kv VALUES (3000, 'smuggled')});
my $healed = q{SELECT count(*) FILTER (WHERE id <= 50) = 49 AND count(*) FILTER (WHERE v = 'damaged' AND id >= 60) = 11
	AND count(*) FILTER (WHERE id = 3000) = 1 FROM kv};
ok($cluster->wait_until($_, $healed), "with no operator node $_ has it all") foreach 1 .. 3;
is_mended('kv', 'scheduled repair');
ok($cluster->wait_until($_, q{SELECT max(differing_leaves) = 0 FROM topgun.stat_repair}), "node $_ sees no difference") foreach 1 .. 3;
my $log = '';
$log .= PostgreSQL::Test::Utils::slurp_file($cluster->node($_)->logfile) foreach 1 .. 3;
like($log, qr/LOG:\s+\w*:?\s*repaired table "kv" with node/, 'the log tells of it');

# A row in quarantine is not moved again and again.
$cluster->sql(1, q{INSERT INTO picky VALUES (3, 'bad')});
$cluster->wait_for_sync;
my $repaired = sub {
	my $n = 0;
	$n += $cluster->sql($_, 'SELECT sum(rows_repaired) FROM topgun.stat_repair') foreach 1 .. 3;
	return $n;
};
my $count = $repaired->();
ok($cluster->wait_until(1, q{SELECT differing_leaves = 1 FROM topgun.stat_repair WHERE table_name = 'picky' AND peer = 'node3'}),
	'a row in quarantine is a difference');
is($repaired->(), $count, 'which repair cannot mend');
$cluster->sql(1, q{DELETE FROM picky WHERE id = 3});
$cluster->wait_for_sync;

# A tree that is wrong beside rows that are right.
$cluster->sql($_, q{ALTER SYSTEM SET topgun.scrub_share = 0; SELECT pg_reload_conf()}) foreach 1 .. 3;
damage(2, 'kv', q{UPDATE kv SET v = 'damaged' WHERE id = 80});
$cluster->sql(1, q{UPDATE kv SET v = 'newer' WHERE id = 80});
ok($cluster->wait_until(2, q{SELECT v = 'newer' FROM kv WHERE id = 80}), 'the damaged row is replaced');
is($cluster->sql(1, q{SELECT topgun.converged('kv')}), 'f', 'the tree still has what the damage had replaced');
ok($cluster->wait_until(1, q{SELECT topgun.converged('kv')}), 'a repair that finds no rows to mend looks at the tree');

# What is on its way is neither reported nor moved.
$cluster->create_storm_table;
my $storm = $cluster->start_storm($ENV{TOPGUN_STORM_SECONDS} || 10);
my $most = 0;
my $end = time() + ($ENV{TOPGUN_STORM_SECONDS} || 10) - 1;
while (time() < $end)
{
	foreach my $i (1 .. 3)
	{
		my $n = $cluster->sql($i, q{SELECT COALESCE(max(differing_leaves), 0) FROM topgun.stat_repair WHERE table_name = 'storm'});
		$most = $n if $n > $most;
	}
}
ok($cluster->finish_storm($storm), 'storm');
is($most, 0, 'no difference was reported in the storm');
is($cluster->sql($_, q{SELECT rows_repaired FROM topgun.stat_table WHERE table_name = 'storm'}), '0', "node $_ has moved nothing")
  foreach 1 .. 3;
ok($cluster->sql($_, q{SELECT count(*) = 2 FROM topgun.stat_repair WHERE table_name = 'storm' AND last_compared IS NOT NULL}) eq 't',
	"node $_ has compared") foreach 1 .. 3;

$cluster->wait_for_sync;
$cluster->assert_converged;
$cluster->stop;
done_testing();
