# A physical standby of a member is promoted.  It may lack the end of what the
# member had written and given stamps to, so it is fenced until rejoin(); then
# it goes on as that member, with its id, and what it had lost is given back.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TopGun::Cluster;

# Comparing trees would mend what pulling must bring.
my $cluster = TopGun::Cluster->new(3, settings => "topgun.repair_interval = 0\n");
$cluster->on_all('CREATE TABLE item (id int PRIMARY KEY, v text)');
$cluster->add_table('item');
$cluster->sql(2, q{INSERT INTO item SELECT i, 'start' FROM generate_series(1, 1000) AS i});
$cluster->wait_for_sync or die 'not in sync';

my $member = $cluster->node(2);
$member->backup('base');
my $backup = $cluster->sql(2, 'SELECT clock_timestamp()');
ok($cluster->wait_until(2, "SELECT clock_timestamp() > '$backup'::timestamptz + interval '3 s'"), 'the clock goes on beyond what the backup has reserved');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($member, 'base', has_streaming => 1);
$standby->start;
$cluster->sql(2, q{UPDATE item SET v = 'streamed' WHERE id <= 100; DELETE FROM item WHERE id > 990});
$cluster->sql(1, q{UPDATE item SET v = 'by 1' WHERE id BETWEEN 101 AND 200});
$cluster->wait_for_sync or die 'not in sync';
$member->wait_for_catchup($standby, 'replay', $member->lsn('insert'));

# --------------------------------------------------------------- while it follows
is($standby->safe_psql('postgres', 'SELECT node_id, name FROM topgun.status'), '2|node2', 'a standby shows whose it is');
$cluster->wait_until(2, 'SELECT rows = (SELECT count(*) FROM item) FROM topgun.stat_table');
$member->wait_for_catchup($standby, 'replay', $member->lsn('insert'));
is( $standby->safe_psql('postgres', 'SELECT rows, state FROM topgun.stat_table'),
	$cluster->sql(2, 'SELECT rows, state FROM topgun.stat_table'), 'and the state of its tables');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'topgun%'}),
	'0', 'it has no worker of ours');
foreach my $function ('current_stamp', 'unique_id', 'wait_for_sync', 'converged')
{
	my ($code, $out, $message) = $standby->psql('postgres', "SELECT topgun.$function()");
	like($message, qr/cannot execute topgun\.$function\(\) during recovery/, "it refuses topgun.$function()");
}

# ------------------------------- it falls behind, and then its primary is lost
$standby->stop('fast');
$cluster->sql(2, q{UPDATE item SET v = 'lost by 2, kept by 1 and 3' WHERE id BETWEEN 201 AND 210});
$cluster->sql(2, q{INSERT INTO item VALUES (2001, 'lost by 2, kept by 1 and 3'); DELETE FROM item WHERE id = 300});
$cluster->wait_for_sync or die 'not in sync';
my $lost = $cluster->sql(1, 'SELECT max(topgun_stamp::text) FROM item WHERE id BETWEEN 201 AND 210');
my $port = $member->port;
$member->stop('immediate');
$cluster->sql(1, q{UPDATE item SET v = 'while 2 was away' WHERE id BETWEEN 401 AND 410; DELETE FROM item WHERE id = 500});

# The peers know one address: it takes that over.
$standby->append_conf('postgresql.conf', "port = $port");
$standby->{_port} = $port;
$standby->start;
$standby->promote;
$cluster->{nodes}[2] = $standby;

# ------------------------------------------- whether it has all, nobody can tell
ok($cluster->wait_until(2, q{SELECT state = 'fenced' FROM topgun.status}), 'promoted, it is fenced');
my ($state, $why) = $cluster->error_of(2, q{INSERT INTO item VALUES (2002, 'too early')});
is($state, 'TG001', 'it makes no stamps that it might have made before');
like($why, qr/topgun\.rejoin\(\)/, 'and says what to do');
like(slurp_file($cluster->node(1)->logfile) . slurp_file($cluster->node(3)->logfile),
	qr/WARNING:.*node 2 is refused.*standby that was promoted/s, 'its peers say why');
is($cluster->sql(2, q{SELECT count(*) FROM item WHERE v = 'lost by 2, kept by 1 and 3'}), '0', 'it gets nothing');
$standby->restart;
ok($cluster->wait_until(2, q{SELECT state = 'fenced' FROM topgun.status}), 'a restart changes nothing');
ok($cluster->wait_until(2, q{SELECT topgun.rejoin() IS NOT NULL}), 'rejoin() brings it back');

# ------------------------------------------------------------ it is the member now
ok($cluster->wait_until(2, q{SELECT count(*) = 2 FROM topgun.stat_peer WHERE state = 'streaming'}), 'it pulls from its peers');
ok($cluster->wait_until($_, q{SELECT count(*) = 2 FROM topgun.stat_peer WHERE state = 'streaming'}), "node $_ pulls from it")
  foreach 1, 3;
$cluster->assert_converged;
is($cluster->sql(2, 'SELECT node_id FROM topgun.status'), '2', 'its id is the old one');
is($cluster->sql(2, q{SELECT count(*) FROM item WHERE v = 'lost by 2, kept by 1 and 3'}), '11', 'its peers gave back what it had lost');
is($cluster->sql(2, 'SELECT count(*) FROM item WHERE id = 300'), '0', 'deletions, too');
is($cluster->sql($_, 'SELECT count(*) FROM item WHERE id = 500'), '0', "what was done meanwhile is on node $_") foreach 1 .. 3;
is($cluster->sql(2, q{SELECT count(*) FROM item WHERE v = 'while 2 was away'}), '10', 'updates as well');

$cluster->sql(2, q{UPDATE item SET v = 'after' WHERE id BETWEEN 205 AND 215; INSERT INTO item VALUES (300, 'again')});
is($cluster->sql(2, "SELECT bool_and(topgun_stamp OPERATOR(topgun.>) '$lost' AND topgun.stamp_node(topgun_stamp) = 2) FROM item WHERE v = 'after'"),
	't', 'its stamps go on after those that it had given before');
$cluster->assert_converged;
is($cluster->sql(1, q{SELECT count(*) FROM item WHERE v IN ('after', 'again')}), '12', 'what it writes arrives');
is($cluster->sql(2, 'SELECT topgun.wait_for_sync()'), 't', 'it knows that all is everywhere');
$standby->restart;
$cluster->sql(2, q{INSERT INTO item VALUES (2003, 'after a restart')});
$cluster->assert_converged;

$cluster->stop;
done_testing();
