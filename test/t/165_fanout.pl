# A node dies when only one of its peers has what it has written: that one
# finishes what it has begun, and the survivors become equal with no operator.
use strict;
use warnings;
use Test::More;
use TopGun::Cluster;

my $cluster = TopGun::Cluster->new(3);
$cluster->on_all('CREATE TABLE t (id int PRIMARY KEY, v text)');
$cluster->add_table('t');
$cluster->sql(1, q{INSERT INTO t SELECT i, 'before' FROM generate_series(1, 1000) i});
$cluster->wait_for_sync or die 'not in sync';

# Node 3 reads nobody, node 2 reads node 1.
$cluster->failpoint(3, $_, 'pause') foreach 'link-1', 'link-2';
sleep(1);
$cluster->sql(1, q{UPDATE t SET v = 'halfway' WHERE id <= 500; DELETE FROM t WHERE id > 900;
	INSERT INTO t SELECT i, 'halfway' FROM generate_series(2001, 2500) i});
ok($cluster->wait_until(2, q{SELECT count(*) = 1000 FROM t WHERE v = 'halfway'}), 'one peer has it');
is($cluster->sql(3, q{SELECT count(*) FROM t WHERE v = 'halfway'}), '0', 'the other has nothing of it');
$cluster->failpoint(2, 'link-1', 'pause');
sleep(1);
$cluster->sql(1, q{INSERT INTO t VALUES (3000, 'on node 1 only')});
$cluster->kill9_and_wait(1);

$cluster->failpoint($_->[0], $_->[1], 'off') foreach [ 2, 'link-1' ], [ 3, 'link-1' ], [ 3, 'link-2' ];
$cluster->assert_converged;
is($cluster->sql(3, q{SELECT count(*) FROM t WHERE v = 'halfway'}), '1000', 'the survivors have what one of them had');
is($cluster->sql(3, 'SELECT count(*) FROM t WHERE id BETWEEN 901 AND 1000'), '0', 'deletions as well');

$cluster->node(1)->start;
ok($cluster->wait_until(3, 'SELECT count(*) = 1 FROM t WHERE id = 3000'), 'what nobody had comes with the node');
$cluster->assert_converged;
$cluster->stop;
done_testing();
