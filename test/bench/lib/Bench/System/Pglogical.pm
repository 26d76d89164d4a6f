# pglogical 2.
package Bench::System::Pglogical;

use strict;
use warnings;
use parent -norequire, 'Bench::System';
use Bench::Server;
use Bench::System;

sub missing
{
	my $control = Bench::Server::pg_config('sharedir') . '/extension/pglogical.control';
	return -e $control ? () : 'not installed: postgresql-15-pglogical';
}

# Newer minor releases decode with no library that they are not told of.
sub settings
{
	my ($self, $group) = @_;
	my $known = `"@{[ Bench::Server::pg_config('bindir') ]}/postgres" --describe-config`;
	my $libraries =
	  $known =~ /^output_plugin_libraries\t/m
	  ? "output_plugin_libraries = 'pgoutput, pglogical_output'\n"
	  : '';
	my $resolution =
	  $group->{both_ways}
	  ? "track_commit_timestamp = on\npglogical.conflict_resolution = 'last_update_wins'\n"
	  : '';
	return "shared_preload_libraries = 'pglogical'\nwal_level = logical\n" . $libraries . $resolution;
}

sub found
{
	my ($self, $group) = @_;
	$group->on_all('CREATE EXTENSION pglogical');
	$_->sql(sprintf(q{SELECT pglogical.create_node('%s', '%s')}, $_->{node}, $_->dsn)) foreach $group->nodes;
	return;
}

sub publish
{
	my ($self, $group, @tables) = @_;
	foreach my $table (@tables)
	{
		$group->on_all("SELECT pglogical.replication_set_add_table('default', '$table')");
	}
	return;
}

sub _subscribe
{
	my ($self, $group, $to, $from, $copy) = @_;
	my $name = "to_$to->{node}";
	$to->sql(sprintf(<<'END', $name, $from->dsn, $copy));
SELECT pglogical.create_subscription('%s', '%s', synchronize_structure := false,
	synchronize_data := %s, forward_origins := '{}')
END
	$group->wait_until($to, <<"END", 'tables are not in step');
SELECT status = 'replicating' AND NOT EXISTS (SELECT FROM pglogical.local_sync_status WHERE sync_status <> 'r')
FROM pglogical.show_subscription_status('$name')
END
	return;
}

sub link
{
	my ($self, $group, $server) = @_;
	return $self->_subscribe($group, $server, $group->node(1), 'true');
}

sub link_back
{
	my ($self, $group) = @_;
	return $self->_subscribe($group, $group->node(1), $group->node(2), 'false');
}

1;
