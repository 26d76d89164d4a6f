# This extension.
package Bench::System::Topgun;

use strict;
use warnings;
use parent -norequire, 'Bench::System';
use Bench::System;

sub settings { return "shared_preload_libraries = 'topgun'\n"; }

sub found
{
	my ($self, $group) = @_;
	my $first = $group->node(1);
	$group->on_all('CREATE EXTENSION topgun');
	$self->{members} = [$first];
	$first->sql("SELECT topgun.create_cluster('$first->{node}', '" . $first->dsn . "')");
	return;
}

sub publish
{
	my ($self, $group, @tables) = @_;
	$group->node(1)->sql("SELECT topgun.add_table('$_')") foreach @tables;
	return;
}

sub link
{
	my ($self, $group, $server) = @_;
	$server->sql(sprintf(q{SELECT topgun.join('%s', '%s', via => '%s')},
		$server->{node}, $server->dsn, $group->node(1)->dsn));
	push @{ $self->{members} }, $server;
	$group->wait_until($server, <<'END', 'tables are not in step');
SELECT count(s.table_id) = count(*) FROM topgun.replicated_table r
LEFT JOIN topgun.table_state s ON s.table_id = r.id AND s.state = 'synced'
END
	$group->wait_until($_, <<'END', 'peers do not stream') foreach $group->node(1), $server;
SELECT count(*) > 0 AND bool_and(state = 'streaming') FROM topgun.stat_peer
END
	return;
}

# Bring the trees up to the journal.
sub settle
{
	my ($self) = @_;
	$_->sql('SELECT topgun_internal.tree_roots()') foreach @{ $self->{members} };
	return;
}

1;
