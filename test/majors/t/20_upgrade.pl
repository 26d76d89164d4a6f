# A member moves to a newer major by pg_upgrade: it keeps its rows with their
# stamps, its id and its place among the others, which stay where they are.
# TOPGUN_SERVERS has the directories of the servers, the newest first.
use strict;
use warnings;
use File::Copy qw(copy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

my @servers = split(' ', $ENV{TOPGUN_SERVERS});
my ($new_server, $old_server) = @servers[ 0, $#servers ];
# The move may take longer than the others wait for a member.
my $cluster = TopGun::Cluster->new(3, servers => [ ($old_server) x 3 ],
	settings => "topgun.fold_interval = '500ms'\ntopgun.confirmation_timeout = '1h'\n");
$cluster->on_all(<<'END');
CREATE TABLE item (id int PRIMARY KEY, v text);
CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted DEFAULT;
END
$cluster->add_table($_) foreach 'item', 'parted';
foreach my $i (1 .. 3)
{
	$cluster->sql($i, "INSERT INTO item SELECT g, 'by $i' FROM generate_series($i * 1000, $i * 1000 + 499) AS g;
		INSERT INTO parted SELECT g, CASE WHEN g % 2 = 0 THEN 'a' ELSE 'b' END, 'by $i' FROM generate_series($i * 1000, $i * 1000 + 99) AS g;
		DELETE FROM item WHERE id BETWEEN $i * 1000 + 400 AND $i * 1000 + 410");
}
$cluster->assert_converged;

# Not yet sent when the server stops.
$cluster->failpoint($_, 'link-2', 'pause') foreach 1, 3;
$cluster->sql(2, q{UPDATE item SET v = 'before the move' WHERE id BETWEEN 1000 AND 1020; DELETE FROM item WHERE id = 1030});
my $old = $cluster->node(2);
my %before = map { $_ => $cluster->rows(2, $_) } 'item', 'parted', 'topgun.node';
my $tombstones = $cluster->sql(2, 'SELECT count(*), max(stamp::text) FROM topgun.tombstone');
$old->stop('fast');
$cluster->sql(1, q{UPDATE item SET v = 'meanwhile' WHERE id BETWEEN 2000 AND 2010; DELETE FROM item WHERE id = 2020});

# ------------------------------------------------------------------ pg_upgrade
my $new = PostgreSQL::Test::Cluster->new('moved', install_path => $new_server);
my @checksums = $new->pg_version >= 18 ? ('--no-data-checksums') : ();
$new->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8', @checksums ]);
$new->append_conf('postgresql.conf', slurp_file($old->data_dir . '/postgresql.conf') =~ /^(shared_preload_libraries.*)\z/ms);
$new->append_conf('postgresql.conf', 'port = ' . $old->port);
my $dir = PostgreSQL::Test::Utils::tempdir_short();
chdir($dir) or die "cannot go to $dir: $!";
local $ENV{PATH} = "$new_server/bin:$ENV{PATH}";
command_ok(
	[
		"$new_server/bin/pg_upgrade", '--no-sync', '-b', "$old_server/bin", '-B', "$new_server/bin", '-d', $old->data_dir, '-D', $new->data_dir,
		'-s', $dir, '-p', $old->port, '-P', $old->port
	],
	"pg_upgrade from $old_server to $new_server");
$new->{_port} = $old->port;
copy($old->data_dir . '/topgun.clock', $new->data_dir . '/topgun.clock') or die "no clock: $!";
$new->start;
$cluster->{nodes}[2] = $new;
note('measured: node 2 runs ' . $cluster->sql(2, 'SHOW server_version'));

is($cluster->sql(2, 'SELECT node_id FROM topgun.local_node'), '2', 'it is the same node');
like($cluster->rows(2, 'item'), qr/before the move/, 'its rows are there');

# -------------------------------------------------------------- it is back
$cluster->failpoint($_, 'link-2', 'off') foreach 1, 3;
ok($cluster->wait_until(2, q{SELECT count(*) = 2 FROM topgun.stat_peer WHERE state = 'streaming'}), 'it pulls from its peers');
$cluster->assert_converged;
is($cluster->sql(1, q{SELECT count(*) FROM item WHERE v = 'before the move'}), '21', 'what it had not sent has come');
is($cluster->sql(1, 'SELECT count(*) FROM item WHERE id = 1030'), '0', 'deletions, too');
is($cluster->sql(2, q{SELECT count(*) FROM item WHERE v = 'meanwhile'}), '11', 'it gets what it has missed');
is($cluster->sql(2, 'SELECT count(*) FROM item WHERE id = 2020'), '0', 'deletions, too');
foreach my $table ('parted', 'topgun.node')
{
	is($cluster->rows(2, $table), $before{$table}, "$table: rows and stamps are what they were");
}
my %was = map { split(/\t/, $_, 2) } split(/\n/, $before{item});
my %is = map { split(/\t/, $_, 2) } split(/\n/, $cluster->rows(2, 'item'));
is(join(' ', grep { $is{$_} !~ /meanwhile/ && $is{$_} ne ($was{$_} // '') } sort keys %is),
	'', 'item: rows that nobody has changed since keep their stamps');

my $stamp = $cluster->sql(1, 'SELECT max(topgun_stamp::text) FROM item');
$cluster->sql(2, q{UPDATE item SET v = 'after the move' WHERE id BETWEEN 1010 AND 1015; INSERT INTO parted VALUES (1, 'a', 'new'); DELETE FROM parted WHERE id = 1000});
$cluster->sql(3, q{UPDATE item SET v = 'and by 3' WHERE id = 1016});
is($cluster->sql(2, "SELECT bool_and(topgun_stamp OPERATOR(topgun.>) '$stamp') FROM item WHERE v = 'after the move'"), 't', 'its stamps go on');
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT topgun.wait_for_sync()'), 't', 'it is in step');
is($cluster->sql(2, q{SELECT count(*) FROM topgun.stat_worker WHERE state = 'running'}) > 3, 1, 'its workers run');

$cluster->stop;
done_testing();
