# Logical replication as PostgreSQL has it.
package Bench::System::Native;

use strict;
use warnings;
use parent -norequire, 'Bench::System';
use Bench::System;

use constant FIRST_WITH_ORIGINS => 160000;

sub settings { return "wal_level = logical
"; }

sub found
{
	my ($self, $group) = @_;
	die "cannot: no filter of origins before PostgreSQL 16
"
	  if $group->{both_ways} && $group->node(1)->sql('SHOW server_version_num') < FIRST_WITH_ORIGINS;
	return;
}

sub publish
{
	my ($self, $group, @tables) = @_;
	$group->on_all('CREATE PUBLICATION bench FOR TABLE ' . join(', ', @tables));
	return;
}

sub _subscribe
{
	my ($self, $group, $to, $from, $more) = @_;
	$to->sql(sprintf(q{CREATE SUBSCRIPTION bench_%s CONNECTION '%s' PUBLICATION bench WITH (slot_name = 'to_%s'%s)},
		$to->{node}, $from->dsn, $to->{node}, $more));
	$group->wait_until($to, <<'END', 'tables are not in step');
SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel
END
	return;
}

sub link
{
	my ($self, $group, $server) = @_;
	return $self->_subscribe($group, $server, $group->node(1), $group->{both_ways} ? ', origin = none' : '');
}

sub link_back
{
	my ($self, $group) = @_;
	return $self->_subscribe($group, $group->node(1), $group->node(2), ', origin = none, copy_data = false');
}

1;
