# Keys that are equal without being the same bytes, and nodes whose sessions
# speak differently.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3, join => 0, links => 1);
my @dialects = (
	"datestyle = 'German, DMY'; timezone = 'Asia/Kathmandu'; extra_float_digits = -15; bytea_output = 'escape'",
	"datestyle = 'SQL, MDY'; timezone = 'America/St_Johns'; extra_float_digits = 3; intervalstyle = 'iso_8601'",
	"datestyle = 'Postgres, YMD'; timezone = 'UTC'; standard_conforming_strings = off; xmlbinary = 'hex';
	default_transaction_isolation = 'repeatable read'; search_path = 'nowhere'; statement_timeout = '20ms';
	lock_timeout = '1ms'; check_function_bodies = off; escape_string_warning = off; row_security = off;
	client_encoding = 'LATIN1'; default_table_access_method = 'heap'; quote_all_identifiers = on");
foreach my $i (1 .. 3)
{
	foreach my $setting (split(/;\s*/, $dialects[ $i - 1 ]))
	{
		$cluster->sql($i, "ALTER DATABASE postgres SET $setting");
	}
	# The clients of the test keep to what they know.
	$ENV{PGOPTIONS} = '-c search_path=public -c statement_timeout=0 -c lock_timeout=0 -c client_encoding=UTF8'
	  . ' -c default_transaction_isolation=read\ committed -c standard_conforming_strings=on';
}
$cluster->create_cluster(1);
$cluster->join_node($_) foreach 2, 3;

$cluster->on_all(<<'END');
CREATE EXTENSION citext SCHEMA public;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION svensk (provider = icu, locale = 'sv-SE');
CREATE TABLE k_nocase (id text COLLATE nocase PRIMARY KEY, v int);
CREATE TABLE k_svensk (id text COLLATE svensk PRIMARY KEY, v int);
CREATE TABLE k_citext (id citext PRIMARY KEY, v int);
CREATE TABLE k_numeric (id numeric PRIMARY KEY, v int);
CREATE TABLE k_float (id float8 PRIMARY KEY, v int);
CREATE TABLE k_time (id timestamptz, d date, i interval, v int, PRIMARY KEY (id, d, i));
CREATE TABLE k_bpchar (id char(10) PRIMARY KEY, v int);
CREATE TABLE k_bytea (id bytea, u uuid, v int, PRIMARY KEY (u, id));
CREATE TABLE k_range (id int4range PRIMARY KEY, v int);
CREATE TABLE values_of_all (id int PRIMARY KEY, ts timestamp, tz timestamptz, d date, t time, i interval,
	f4 float4, f8 float8, n numeric, b bytea, x xml, j json, jb jsonb, a float8[], m money, bits bit varying,
	net inet, pt point, r daterange, ch "char", nm name, tt timetz);
END
my @tables = split(/\n/, $cluster->sql(1, q{SELECT relname FROM pg_class WHERE relkind = 'r'
	AND (relname LIKE 'k\_%' OR relname = 'values_of_all') AND relnamespace = 'public'::regnamespace ORDER BY 1}));
is(scalar(@tables), 10, 'ten tables');
$cluster->add_table($_) foreach @tables;

# Each node writes the same keys in other bytes, first together, then apart.
my %spelling = (
	k_nocase => [ q{'Key'}, q{'KEY'}, q{'key'} ],
	k_svensk => [ q{'Ängel'}, q{'Ängel'}, q{'Ängel'} ],
	k_citext => [ q{'Ort'}, q{'ORT'}, q{'ort'} ],
	k_numeric => [ '1', '1.0', '1.000' ],
	k_float => [ '0', q{'-0'}, '0.0' ],
	k_bpchar => [ q{'a'}, q{'a  '}, q{'a         '} ]);
foreach my $table (sort keys %spelling)
{
	my @spellings = @{ $spelling{$table} };
	$cluster->sql(1, "INSERT INTO $table VALUES ($spellings[0], 1)");
	$cluster->assert_converged($table);
	$cluster->sql(2, "UPDATE $table SET id = $spellings[1], v = 2");
	$cluster->assert_converged($table);
	$cluster->sql(3, "DELETE FROM $table WHERE id = $spellings[2]");
	$cluster->assert_converged($table);
	is($cluster->sql(1, "SELECT count(*) FROM $table"), '0', "$table: deleted by another spelling");

	$cluster->cut_node($_) foreach 1 .. 3;
	$cluster->sql($_, "INSERT INTO $table VALUES ($spellings[$_ - 1], 10 + $_)") foreach 1 .. 3;
	$cluster->sql(2, "DELETE FROM $table WHERE id = $spellings[0]");
	$cluster->sql(1, "INSERT INTO $table VALUES ($spellings[2], 21) ON CONFLICT (id) DO UPDATE SET v = 21");
	$cluster->heal_node($_) foreach 1 .. 3;
	$cluster->assert_converged($table);
	is($cluster->sql($_, "SELECT count(*), max(v) FROM $table"), '1|21', "$table: one row on node $_") foreach 1 .. 3;
}

$cluster->sql(1, <<'END');
INSERT INTO k_time SELECT timestamptz '2026-03-29 01:30:00+00' + n * interval '15 min', 'infinity', make_interval(n, n, n, n), n
	FROM generate_series(1, 20) n;
INSERT INTO k_bytea SELECT decode(md5(n::text) || '00', 'hex'), md5(n::text)::uuid, n FROM generate_series(1, 20) n;
INSERT INTO k_range SELECT int4range(n, n + 5), n FROM generate_series(1, 20) n;
INSERT INTO k_range VALUES ('empty', 0), ('(,)', -1);
INSERT INTO values_of_all
SELECT n, timestamp '0001-01-01 BC' + n * interval '1 century', timestamptz '294276-01-01' - n * interval '1 century 1 us',
	date '4713-01-01 BC' + n, time '23:59:59.999999', make_interval(n, -n, n, -n, n, -n, n / 3.0),
	1 / (n + 2)::float4, pi() / n, 10::numeric ^ n + 0.1 ^ n, decode(repeat('00ff5c27', n), 'hex'),
	xmlparse(content '<a b="é">' || n || '</a>'), json_build_object('z', n, 'a', ' '), jsonb_build_object('z', n),
	ARRAY['NaN', 'Infinity', pi() * n]::float8[], n::money, repeat('10', n)::varbit, '::1'::inet + n, point(n, 1 / n::float8),
	daterange(NULL, date '2000-01-01' + n), 'q', 'name' || n, '12:00:00.5+05:45'
FROM generate_series(1, 30) n;
INSERT INTO values_of_all (id) VALUES (1000);
END
$cluster->sql(3, q{INSERT INTO values_of_all (id, ts, tz, d, n, f8, b) VALUES
	(1001, 'infinity', '-infinity', '-infinity', 'NaN', 'NaN', ''), (1002, NULL, NULL, NULL, 'Infinity', '-Infinity', NULL)});
$cluster->assert_converged;
$cluster->sql(2, q{UPDATE values_of_all SET f8 = f8 / 3, tz = tz - interval '1 us' WHERE id <= 30});
$cluster->sql(3, q{UPDATE k_time SET id = id + interval '1 us'; DELETE FROM k_bytea WHERE v % 2 = 0; DELETE FROM k_range WHERE isempty(id)});
$cluster->assert_converged;
is($cluster->sql(1, 'SELECT count(*) FROM k_bytea'), '10', 'deletes by composite keys');
is($cluster->sql($_, 'SELECT count(*) FROM topgun.quarantine'), '0', "node $_: nothing in quarantine") foreach 1 .. 3;

$cluster->stop;
done_testing();
