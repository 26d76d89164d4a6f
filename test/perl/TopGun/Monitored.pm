# A cluster for tests of docs/monitoring: two nodes, a replicated table of a
# hundred rows, and on node 1 the role metrics, which may only look.
package TopGun::Monitored;

use strict;
use warnings;
use parent 'TopGun::Cluster';

sub new
{
	my ($class) = @_;
	my $self = $class->SUPER::new(2);
	$self->on_all('CREATE TABLE t (id int PRIMARY KEY, v int)');
	$self->add_table('t');
	$self->sql(1, 'INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i');
	$self->wait_for_sync;
	$self->sql(1, 'CREATE ROLE metrics LOGIN IN ROLE pg_monitor');
	return $self;
}

1;
