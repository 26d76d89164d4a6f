# Merges and clients that want the same rows: waiting, deadlocks, serializable
# clients, unique values that change hands.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(2);
$cluster->on_all('CREATE TABLE kv (id int PRIMARY KEY, v text)');
$cluster->add_table('kv');
$cluster->sql(1, q{INSERT INTO kv SELECT i, 'base' FROM generate_series(1, 100) i});
$cluster->assert_converged;

sub waits_for_a_lock
{
	my ($i) = @_;
	return $cluster->wait_until($i, q{SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE backend_type LIKE 'topgun%' AND wait_event_type = 'Lock')}, 20);
}

# ------------------------------------------- a merge waits for a client's row
my $client = $cluster->node(2)->background_psql('postgres');
$client->query_safe(q{BEGIN; UPDATE kv SET v = 'client' WHERE id = 50});
$cluster->sql(1, q{UPDATE kv SET v = 'remote'});
ok(waits_for_a_lock(2), 'the merge waits for the row');
$client->query_safe(q{UPDATE kv SET v = 'client' WHERE id = 100; COMMIT});
$cluster->assert_converged;

# -------------------------------------------------------------- real deadlocks
# The merge takes rows in the order of their keys; the client takes the last
# one first.  Whoever looks first for a deadlock gives way: make it the merge.
foreach my $round (1 .. 3)
{
	$client->query_safe(q{SET deadlock_timeout = '20s'});
	$client->query_safe(q{BEGIN; UPDATE kv SET v = 'client ' || id WHERE id = 100});
	$cluster->sql(1, "UPDATE kv SET v = 'remote $round'");
	$client->query_safe('SELECT pg_sleep(0.1)');
	my $began = time();
	$client->query_safe(q{UPDATE kv SET v = 'client ' || id WHERE id = 1; COMMIT});
	cmp_ok(time() - $began, '<', 15, "deadlock $round: the client goes on");
	$cluster->assert_converged;
}
$client->quit;

# ---------------------------------------- whatever isolation the database asks
foreach my $isolation ('repeatable read', 'serializable')
{
	$cluster->on_all("ALTER DATABASE postgres SET default_transaction_isolation = '$isolation'");
	my $offset = -s $cluster->node(2)->logfile;
	my $serial = $cluster->node(2)->background_psql('postgres');
	$serial->query_safe(q{BEGIN; UPDATE kv SET v = 'serial' WHERE id BETWEEN 10 AND 20});
	$cluster->sql(1, q{UPDATE kv SET v = 'remote ' || random() WHERE id BETWEEN 5 AND 15});
	$serial->query_safe('SELECT pg_sleep(0.3); COMMIT');
	$serial->quit;
	$cluster->assert_converged;
}
$cluster->on_all('ALTER DATABASE postgres SET default_transaction_read_only = on');
$cluster->sql(1, q{SET default_transaction_read_only = off; UPDATE kv SET v = 'read only' WHERE id < 10});
$cluster->assert_converged;
$cluster->on_all('SET default_transaction_read_only = off; ALTER DATABASE postgres RESET ALL');

# ---------------------------- a row in use is not mistaken for one that is gone
# Many updates of the same few rows on both sides while merges look them up.
$cluster->create_storm_table(3);
ok($cluster->storm(4), 'three hot keys');
$cluster->assert_converged;

# ------------------------------------ unique values that rows hand to each other
$cluster->on_all('CREATE TABLE seat (id int PRIMARY KEY, place text UNIQUE)');
$cluster->add_table('seat');
$cluster->sql(1, q{INSERT INTO seat SELECT i, 'place ' || i FROM generate_series(1, 6) i});
$cluster->assert_converged;
$cluster->sql(1, q{BEGIN; UPDATE seat SET place = 'x' WHERE id = 1; UPDATE seat SET place = 'place 1' WHERE id = 2;
	UPDATE seat SET place = 'place 2' WHERE id = 1; COMMIT});
$cluster->sql(2, q{BEGIN; UPDATE seat SET place = 'y' WHERE id = 3; UPDATE seat SET place = 'place 3' WHERE id = 5;
	UPDATE seat SET place = 'place 4' || '' WHERE false; UPDATE seat SET place = 'place 5' WHERE id = 3; COMMIT});
$cluster->assert_converged;
is( $cluster->sql(2, 'SELECT string_agg(place, $$,$$ ORDER BY id) FROM seat'),
	'place 2,place 1,place 5,place 4,place 3,place 6', 'unique values exchanged in one transaction');
is($cluster->sql($_, 'SELECT count(*) FROM topgun.quarantine'), '0', "node $_: nothing in quarantine")
  foreach 1, 2;

$cluster->stop;
done_testing();
