# Joining: tables that are not empty on either side, under load, while a member
# is away; tables that differ or are missing; rows that cannot be applied.
use strict;
use warnings;
use IPC::Run;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(4, join => 0, links => 1);
my $all = 'CREATE TABLE stock (id int PRIMARY KEY, v text);
	CREATE TABLE log (id bigint PRIMARY KEY, what text);
	CREATE TABLE storm (id int PRIMARY KEY, v int, src text)';
$cluster->on_all($all);

# -------------------------------------------------- rows from before there was a cluster
$cluster->sql(1, q{INSERT INTO stock SELECT i, 'old 1' FROM generate_series(1, 100) i});
$cluster->create_cluster(1);
$cluster->call(1, 'topgun.add_table', $_) foreach 'stock', 'log', 'storm';
is($cluster->sql(1, 'SELECT count(*) FROM stock WHERE topgun_stamp IS NULL'), '100',
	'rows that were there before have no stamp');
$cluster->sql(1, q{UPDATE stock SET v = 'new 1' WHERE id <= 20; DELETE FROM stock WHERE id > 90});
$cluster->sql(1, q{INSERT INTO log SELECT i, 'bulk' FROM generate_series(1, 20000) i});

$cluster->sql(2, q{INSERT INTO stock SELECT i, 'old 2' FROM generate_series(51, 150) i});
is($cluster->join_node(2), '2', 'join returns the id of the node');
is($cluster->sql(2, 'SELECT count(*) FROM log'), '20000', 'join has copied all when it returns');
$cluster->wait_attached(2, $_) foreach 'stock', 'log', 'storm';
{
	# Nodes 3 and 4 are no members yet.
	local $cluster->{count} = 2;
	ok($cluster->wait_for_sync, 'both sides have all');
	$cluster->assert_converged;
	is($cluster->sql(2, 'SELECT count(*), count(*) FILTER (WHERE id <= 20 AND v = $$new 1$$) FROM stock'),
		'140|20', 'rows of both sides are there, the written ones stand');
	is($cluster->sql(1, 'SELECT v FROM stock WHERE id = 30'), 'old 1', 'rows of one side');
	is($cluster->sql(1, 'SELECT v FROM stock WHERE id = 140'), 'old 2', 'rows of the other side');

	# Equal stamps, different rows: the same one stands everywhere.
	is($cluster->sql(1, 'SELECT v FROM stock WHERE id = 60'), $cluster->sql(2, 'SELECT v FROM stock WHERE id = 60'),
		'unstamped rows that differed are equal');
}

# ------------------------------------------------- join under load, by way of 2
$cluster->{storm_keys} = 200;
my $storms = $cluster->start_storm(6, 1, 2);
is($cluster->join_node(3, 2), '3', 'join under load by way of node 2');
ok($cluster->finish_storm($storms), 'the load never stops');
unlike(PostgreSQL::Test::Utils::slurp_file($cluster->node($_)->logfile), qr/ERROR:.*\b(epoch|newer view)\b/,
	"node $_ does not log requests that the change of the view has met as errors") foreach 1 .. 3;
{
	local $cluster->{count} = 3;    # node 4 is no member yet
	$cluster->assert_converged;
}

# ------------------------------- join by way of 2, while 1 cannot be reached
# A node that still copies passes on what it pulls and claims nothing.  What
# comes by way of it is not taken for concurrent with what its writer had seen.
my $seen = q{SELECT count(*) = 1 FROM stock WHERE id = 50 AND v = 'seen by 3'};
$cluster->cut_link(1, 4);
$cluster->failpoint(4, 'copy-step', 'pause');
my ($out, $err) = ('', '');
my $join = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $cluster->node(4)->connstr('postgres'), '-c',
		"SELECT topgun.join('node4', '" . $cluster->dsn(4) . "', '" . $cluster->dsn(2) . "')" ],
	'<', \undef, '>', \$out, '2>', \$err);
ok($cluster->wait_until(4, q{SELECT count(*) = 3 FROM topgun.table_state WHERE state = 'copying'}), 'node 4 begins to copy');
$cluster->sql(2, q{UPDATE stock SET v = 'from 2' WHERE id = 50});
ok($cluster->wait_until(3, q{SELECT count(*) = 1 FROM stock WHERE id = 50 AND v = 'from 2'}), 'a version of node 2 is on 3');
$cluster->cut_link(2, $_) foreach 1, 3;
$cluster->sql(3, q{UPDATE stock SET v = 'seen by 3' WHERE id = 50});
ok($cluster->wait_until(2, $seen), 'the next one, of 3, comes to 2 by way of 4');
is($cluster->sql(2, q{SELECT count(*) FROM topgun.conflict WHERE table_name = 'stock'}), '0', 'which is no conflict');
$cluster->heal_link(2, $_) foreach 1, 3;
$cluster->failpoint(4, 'copy-step', 'off');
IPC::Run::finish($join);
is("$out$err", "4\n", 'join while a member cannot be reached');
$cluster->sql(4, q{INSERT INTO stock VALUES (1000, 'from 4')});
ok($cluster->wait_until(1, 'SELECT count(*) = 1 FROM stock WHERE id = 1000'), 'relay to the member that was away');
$cluster->heal_link(1, 4);
$cluster->assert_converged;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.node'), '4', "node $_ knows all four") foreach 1 .. 4;

# --------------------------------------------------- a table that is missing somewhere
$cluster->sql($_, 'CREATE TABLE late (id int PRIMARY KEY, v text)') foreach 1, 3, 4;
$cluster->call(1, 'topgun.add_table', 'late');
$cluster->sql(1, q{INSERT INTO late VALUES (1, 'early')});
$cluster->wait_attached($_, 'late') foreach 3, 4;
$cluster->wait_table_state(2, 'late', 'missing');
like($cluster->sql(2, q{SELECT reason FROM topgun.stat_table WHERE state = 'missing'}), qr/\w/, 'with a reason');
$cluster->sql(1, q{INSERT INTO stock VALUES (1001, 'goes on')});
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM stock WHERE id = 1001'), 'other tables go on');
$cluster->sql(2, q{CREATE TABLE late (id int PRIMARY KEY, v text); INSERT INTO late VALUES (2, 'mine')});
$cluster->wait_attached(2, 'late');
$cluster->assert_converged;
is($cluster->sql(4, 'SELECT count(*) FROM late'), '2', 'attached when it is created, with what it had');

# ------------------------------------------------------------ a table that differs
$cluster->sql(2, 'ALTER TABLE late ADD COLUMN extra int');
$cluster->sql(1, q{INSERT INTO late VALUES (3, 'while different')});
$cluster->sql(1, q{INSERT INTO stock VALUES (1002, 'goes on')});
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM stock WHERE id = 1002'),
	'a table that differs does not stop the others');
ok($cluster->wait_until(2, q{SELECT EXISTS (SELECT FROM topgun.stat_table WHERE state = 'paused' AND reason ~ 'extra')}),
	'the table is paused, and the reason names the column');
is($cluster->sql(2, 'SELECT count(*) FROM late WHERE id = 3'), '0', 'nothing arrives in it');
$cluster->sql(2, q{INSERT INTO late VALUES (4, 'local')});
$cluster->sql(2, 'ALTER TABLE late DROP COLUMN extra');
$cluster->assert_converged;
is($cluster->sql(3, 'SELECT count(*) FROM late'), '4', 'equal again, it catches up by itself');

# The same change everywhere, one node after the other, under load.
$storms = $cluster->start_storm(5);
foreach my $i (2, 4, 1, 3)
{
	$cluster->sql($i, 'ALTER TABLE storm ADD COLUMN note text');
}
ok($cluster->finish_storm($storms), 'a column is added everywhere under load');
$cluster->sql(3, q{UPDATE storm SET note = 'new column'});
$cluster->assert_converged;

# ---------------------------------------------------- a row that one node refuses
$cluster->sql(3, 'ALTER TABLE stock ADD CONSTRAINT no_bad CHECK (v <> $$bad$$)');
$cluster->sql(1, q{INSERT INTO stock VALUES (2001, 'good'), (2002, 'bad'), (2003, 'good')});
ok($cluster->wait_until(3, 'SELECT count(*) = 2 FROM stock WHERE id IN (2001, 2003)'), 'the rest arrives');
ok($cluster->wait_until(3, 'SELECT count(*) = 1 FROM topgun.quarantine'), 'the row is in quarantine');
like($cluster->sql(3, 'SELECT q::text FROM topgun.quarantine q'), qr/no_bad/, 'with the error');
like($cluster->sql(3, 'SELECT q::text FROM topgun.quarantine q'), qr/2002/, 'and the row');
ok($cluster->wait_until(4, 'SELECT count(*) = 1 FROM stock WHERE id = 2002'), 'other nodes have it');
$cluster->sql(1, q{INSERT INTO stock VALUES (2004, 'bad'); UPDATE stock SET v = 'better' WHERE id = 2004});
$cluster->sql(1, q{INSERT INTO stock VALUES (2005, 'bad')});
ok($cluster->wait_until(3, 'SELECT count(*) = 2 FROM topgun.quarantine'), 'two rows wait');
$cluster->wait_until(4, 'SELECT count(*) = 1 FROM stock WHERE id = 2005');
$cluster->sql(4, q{UPDATE stock SET v = 'mended' WHERE id = 2005});
ok($cluster->wait_until(3, q{SELECT count(*) = 1 FROM stock WHERE id = 2005 AND v = 'mended'}),
	'a newer version of the key takes its place');
$cluster->sql(3, 'ALTER TABLE stock DROP CONSTRAINT no_bad');
ok($cluster->wait_until(3, 'SELECT count(*) = 0 FROM topgun.quarantine', 60), 'retried when the constraint is gone');
$cluster->assert_converged;

# ------------------------------------------------------- a table added on another node
$cluster->on_all('CREATE SCHEMA "Odd Schema"; CREATE TABLE "Odd Schema"."Odd Table" ("Odd Key" int PRIMARY KEY, "Värde" text)');
$cluster->sql(3, q{INSERT INTO "Odd Schema"."Odd Table" VALUES (1, 'before')});
$cluster->call(3, 'topgun.add_table', '"Odd Schema"."Odd Table"');
foreach my $i (1 .. 4)
{
	ok($cluster->wait_until($i, q{SELECT count(*) = 1 FROM "Odd Schema"."Odd Table"}),
		"node $i has the rows that the table had where it was added");
}
$cluster->sql(2, q{UPDATE "Odd Schema"."Odd Table" SET "Värde" = 'efter'});
$cluster->assert_converged;

$cluster->stop;
done_testing();
