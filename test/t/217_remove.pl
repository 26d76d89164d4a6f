# A table that is replicated no more, and a database without the extension, are
# as they were found: no column, no trigger, no worker.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);
my @tables = ('plain', 'parted', 'measure', 'fed', 'odd."Odd Table"');
$cluster->on_all(<<'END');
CREATE ROLE reader;
CREATE TABLE plain (id int PRIMARY KEY, v text DEFAULT 'none', n numeric(9,2) CHECK (n > 0),
	twice numeric GENERATED ALWAYS AS (n * 2) STORED, at timestamptz DEFAULT '2020-01-01');
CREATE INDEX plain_v ON plain (v) INCLUDE (n);
CREATE VIEW plain_star AS SELECT * FROM plain;
CREATE VIEW plain_some AS SELECT id, v FROM plain WHERE n > 1;
CREATE MATERIALIZED VIEW plain_sum AS SELECT sum(n) AS n FROM plain;
CREATE RULE plain_rule AS ON INSERT TO plain_some DO INSTEAD INSERT INTO plain (id, v) VALUES (NEW.id, NEW.v);
CREATE FUNCTION plain_row(plain) RETURNS text LANGUAGE sql AS 'SELECT $1.v';
GRANT SELECT (id, v) ON plain TO reader;
GRANT UPDATE ON plain TO reader;
ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON plain USING (id > 0);
CREATE STATISTICS plain_stat ON v, n FROM plain;
COMMENT ON TABLE plain IS 'a table';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b') PARTITION BY RANGE (id);
CREATE TABLE parted_b1 PARTITION OF parted_b FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_b2 (v text, region text NOT NULL, gone int, id int NOT NULL);
ALTER TABLE parted_b2 DROP COLUMN gone;
ALTER TABLE parted_b ATTACH PARTITION parted_b2 DEFAULT;
CREATE VIEW parted_view AS SELECT p.*, plain.n FROM parted AS p JOIN plain USING (id);
CREATE TABLE measure (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, plain_id int REFERENCES plain (id));
CREATE TABLE fed (id int PRIMARY KEY, v text);
CREATE SCHEMA odd;
CREATE TABLE odd."Odd Table" ("Odd Key" int PRIMARY KEY, "Värde" text) WITH (fillfactor = 70);
END
fill($_, 1) foreach 1, 2;
my @before = map { dump_of($_) } 1, 2;

sub fill
{
	my ($i, $from) = @_;
	$cluster->sql($i, <<"END");
INSERT INTO plain (id, v, n) SELECT i, 'v' || i, i FROM generate_series($from, $from + 99) AS i;
INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'p' FROM generate_series($from, $from + 199) AS i;
INSERT INTO measure (plain_id) VALUES ($from);
INSERT INTO fed SELECT i FROM generate_series($from, $from + 9) AS i;
INSERT INTO odd."Odd Table" VALUES ($from, 'ett');
END
	return;
}

# All that a dump has of the tables: what they are, and their rows.
sub dump_of
{
	my ($i, @options) = @_;
	my ($out, $err) = run_command(
		[
			'pg_dump', '--no-sync', '--inserts', '--column-inserts', '-N', 'topgun', '-N', 'topgun_internal', '-e', 'plpgsql',
			@options, $cluster->node($i)->connstr('postgres')
		]);
	die $err if $out eq '';
	$out =~ s/^\\(un)?restrict .*$//mg;
	my @inserts = sort($out =~ /^(INSERT .*)$/mg);
	$out =~ s/^INSERT .*\n//mg;
	return join("\n", $out, @inserts);
}

# What of ours is left on the tables of node i.
sub traces
{
	my ($i) = @_;
	return $cluster->sql($i, <<'END');
SELECT c.oid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE a.attname LIKE 'topgun%' AND c.relnamespace::regnamespace::text !~ '^topgun'
UNION ALL SELECT tgrelid::regclass, tgname FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid
	WHERE tgname LIKE 'topgun%' AND c.relnamespace::regnamespace::text !~ '^topgun'
END
}

sub add_all
{
	$cluster->add_table($_) foreach grep { $_ ne 'fed' } @tables;
	$cluster->add_table('fed', options => '{"stamping": "trigger"}');
	$cluster->wait_for_sync or die 'not in sync';
	return;
}

sub is_as_before
{
	my ($i, $title) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(traces($i), '', "$title: no column, no trigger");
	my $after = dump_of($i);
	ok($after eq $before[ $i - 1 ], "$title: a dump is what it was") or diag(first_difference($before[ $i - 1 ], $after));
	return;
}

sub first_difference
{
	my ($a, $b) = map { [ split(/\n/, $_) ] } @_;
	my ($n) = grep { ($a->[$_] // '') ne ($b->[$_] // '') } 0 .. $#$a + 1;
	return "was: " . ($a->[$n] // '(end)') . "\nis:  " . ($b->[$n] // '(end)');
}

# ------------------------------------------------------------------ remove_table
add_all();
isnt(traces($_), '', "node $_ has our columns and triggers") foreach 1, 2;
isnt(dump_of($_), $before[ $_ - 1 ], 'a dump shows it') foreach 1, 2;

# What depends on the column is not dropped along with it.
$cluster->sql(1, 'CREATE VIEW stamps AS SELECT id, topgun_stamp FROM plain');
my ($state, $message) = $cluster->error_of(1, q{SELECT topgun.remove_table('plain')});
is($state, '2BP01', 'a table on whose stamps a view depends stays replicated');
like($message, qr/stamps/, 'and the view is named');
$cluster->sql(1, q{INSERT INTO plain (id, n) VALUES (5000, 1)});
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM plain WHERE id = 5000'), 'it is replicated still');
$cluster->sql(1, 'DELETE FROM plain WHERE id = 5000; DROP VIEW stamps');
$cluster->wait_for_sync or die 'not in sync';

$cluster->call(1, 'topgun.remove_table', $_) foreach @tables;
ok($cluster->wait_until($_, 'SELECT count(*) = 2 FROM topgun.table_state'), "node $_ has none left") foreach 1, 2;
is_as_before($_, "remove_table on node $_") foreach 1, 2;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.tombstone WHERE table_id >= 16'), '0', 'nor are there tombstones') foreach 1, 2;
is($cluster->sql($_, 'SELECT count(*) FROM topgun.merkle_tree WHERE table_id >= 16'), '0', 'or trees') foreach 1, 2;

# ---------------------------------------- DROP EXTENSION, with workers at work
add_all();
$cluster->sql(1, q{UPDATE plain SET v = 'changed' WHERE id <= 50});
$cluster->wait_for_sync or die 'not in sync';
$cluster->sql(1, q{UPDATE plain SET v = 'v' || id, at = '2020-01-01' WHERE id <= 50; UPDATE plain SET at = '2020-01-01'});
$cluster->sql(1, q{ALTER TABLE plain DISABLE TRIGGER touch; UPDATE plain SET at = '2020-01-01'; ALTER TABLE plain ENABLE TRIGGER touch});
$cluster->assert_converged;

($state, $message) = $cluster->error_of(2, 'DROP EXTENSION topgun');
is($state, '2BP01', 'the extension is needed by the tables');
like($message, qr/topgun_stamp/, 'and says by what');
ok($cluster->wait_until(2, q{SELECT count(*) >= 4 FROM pg_stat_activity WHERE backend_type LIKE 'topgun%'}), 'its workers run');
my $log = -s $cluster->node(2)->logfile;
$cluster->sql(2, 'BEGIN; DROP EXTENSION topgun CASCADE; ROLLBACK');
$cluster->sql(1, q{INSERT INTO fed VALUES (50, 'not dropped')});
ok($cluster->wait_until(2, 'SELECT count(*) = 1 FROM fed WHERE id = 50'), 'the workers come back if it is rolled back');
$cluster->sql(1, 'DELETE FROM fed WHERE id = 50');
$cluster->wait_for_sync or die 'not in sync';
$cluster->sql(2, 'DROP EXTENSION topgun CASCADE');
is_as_before(2, 'DROP EXTENSION CASCADE');
ok( $cluster->wait_until(2, <<'END'), 'the workers have left the database');
SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'topgun%' AND datname = current_database()
END
is( $cluster->sql(2, q{SELECT count(*) FROM pg_proc WHERE probin LIKE '%topgun%'}), '0', 'no function is left');
fill(2, 1001);
$cluster->sql(2, 'UPDATE plain SET n = n + 1; DELETE FROM parted WHERE id % 3 = 0; TRUNCATE fed');
unlike(slurp_file($cluster->node(2)->logfile, $log), qr/topgun (?:puller|folder|janitor|repairer) .*ERROR/, 'no worker has stumbled');

# The other one goes on, and so can this one, as a new node.
$cluster->sql(1, q{INSERT INTO fed VALUES (100, 'alone')});
$cluster->sql(2, 'CREATE EXTENSION topgun');
is($cluster->sql(2, 'SELECT count(*) FROM topgun.local_node'), '0', 'created again, it is no node');
$cluster->sql(1, q{SELECT topgun.evict('node2', force => true)});
is($cluster->call(2, 'topgun.join', 'again', $cluster->dsn(2), $cluster->dsn(1)), '3', 'and joins as a new one');
$cluster->assert_converged(@tables);
is($cluster->sql(2, 'SELECT count(*) FROM fed'), '11', 'with the rows of the cluster');

# The last one leaves, too.
$cluster->sql(1, 'DROP EXTENSION topgun CASCADE');
is(traces(1), '', 'the last node: no column, no trigger');
ok( $cluster->wait_until(1, <<'END'), 'no worker');
SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'topgun%' AND datname = current_database()
END

# A peer that asks just then is told so by the server.
$cluster->stop(but => qr/(?:client backend|topgun puller) .* could not open relation with OID/);
done_testing();
