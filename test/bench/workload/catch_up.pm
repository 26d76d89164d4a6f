# 2M rows are written while B is down: what that holds back, and how long B takes
package Bench::Workload::catch_up;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Time::HiRes qw(time);

use constant ROWS => 2_000_000;
use constant TRANSACTIONS => 20;

sub figures
{
	return (
		[ 'write', 's', 'writing on A, B down' ],
		[ 'held', 'MB', 'WAL held back', no_ratio => 1 ],
		[ 'seconds', 's', 'from B up to all visible', of => 'write' ],
		[ 'cpu', 's', 'CPU of both nodes meanwhile', against => 'native' ]);
}

sub write_rows
{
	my ($self, $server) = @_;
	my $part = int($self->rows(ROWS) / TRANSACTIONS);
	foreach my $i (0 .. TRANSACTIONS - 1)
	{
		$server->sql($self->insert_rows('late', $i * $part + 1, ($i + 1) * $part));
	}
	return $part * TRANSACTIONS;
}

sub measure
{
	my ($self, $system) = @_;
	return $self->with_nodes($system, $self->nodes_of($system), sub {
		my ($group) = @_;
		my $first = $group->node(1);
		$group->offer(late => $self->row_table);
		$group->follow;
		$group->tidy;
		$_->stop foreach $group->followers;
		my $began = time();
		my $rows = $self->write_rows($first);
		my %values = (write => time() - $began, held => $first->wal_held / 1024 / 1024);
		my ($second) = $group->followers or return \%values;

		$first->sql('CHECKPOINT');
		$second->start;
		my $cpu = $group->cpu_seconds;
		$began = time();
		$values{seconds} = $group->wait_visible("SELECT count(*) = $rows FROM late") - $began;
		$group->settle;
		$values{cpu} = $group->cpu_seconds - $cpu;
		return \%values;
	});
}

1;
