# PostgreSQL, as it is.  A copy is a COPY from one server into the other.
package Bench::System::Plain;

use strict;
use warnings;
use parent -norequire, 'Bench::System';
use Bench::Command qw(run);
use Bench::System;

sub is_replicating { return 0; }

sub found
{
	my ($self, $group) = @_;
	die "cannot: writes on one node stay there\n" if $group->{both_ways};
	return;
}

sub publish
{
	my ($self, $group, @tables) = @_;
	$self->{tables} = \@tables;
	return;
}

sub link
{
	my ($self, $group, $server) = @_;
	my $from = $group->node(1);
	foreach my $table (@{ $self->{tables} })
	{
		run("$server->{dir}/copy.log",
			[
				'bash', '-o', 'pipefail', '-c',
				'"$0" -XAtqc "COPY $3 TO STDOUT" "$1" | "$0" -XAtqc "COPY $3 FROM STDIN" "$2"',
				"$server->{bindir}/psql", $from->dsn, $server->dsn, $table
			]);
	}
	return;
}

1;
