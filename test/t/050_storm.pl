# The storm: inserts, updates and deletes of 200 keys on every node at full
# rate.  Afterwards not one key differs.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use TopGun::Cluster;

my $seconds = $ENV{TOPGUN_STORM_SECONDS} || 10;

foreach my $count (2, 3)
{
	my $cluster = TopGun::Cluster->new($count);
	$cluster->create_storm_table;
	$cluster->assert_converged;

	ok($cluster->storm($seconds), "$count nodes: no client had an error");
	my $began = time();
	ok($cluster->wait_for_sync, "$count nodes: all has arrived");
	note(sprintf("measured: storm on %d nodes drained in %.2f s", $count, time() - $began));
	$cluster->assert_converged;
	is($cluster->sql($_, 'SELECT count(*) FROM topgun.quarantine'), '0', "node $_: nothing in quarantine")
	  foreach 1 .. $count;
	cmp_ok($cluster->sql(1, 'SELECT count(DISTINCT topgun.stamp_node(topgun_stamp)) FROM storm'),
		'>', 1, 'rows of several writers stand');
	$cluster->stop;
}

done_testing();
