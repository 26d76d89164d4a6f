# both nodes write the same 200 keys at full rate: keys that differ at the end
package Bench::Workload::storm;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Group;
use Bench::Load;
use Time::HiRes qw(time);

use constant KEYS => 200;
use constant SECONDS => 20;
use constant DRAIN_SECONDS => 120;

sub figures
{
	return (
		[ 'differ', 'of ' . KEYS, 'keys that differ', no_ratio => 1 ],
		[ 'tps', 'tps', 'both nodes', no_ratio => 1 ],
		[ 'drain', 's', 'until each sees what the other wrote last', no_ratio => 1 ]);
}

sub start_clients
{
	my ($self, $server) = @_;
	my $head = '\set id random(1, ' . KEYS . ")\n\\set v random(1, 1000000)\n";
	return Bench::Load->start(
		$server,
		clients => 2,
		seconds => $self->seconds(SECONDS),
		scripts => [
			[ 2, "${head}INSERT INTO storm VALUES (:id, :v, '$server->{node}') ON CONFLICT DO NOTHING;\n" ],
			[ 3, "${head}UPDATE storm SET v = :v, src = '$server->{node}' WHERE id = :id;\n" ],
			[ 1, "${head}DELETE FROM storm WHERE id = :id;\n" ]
		]);
}

# Each node sees a row that the other has written now; undefined if that takes
# too long: replication has stopped.
sub drain
{
	my ($self, $group) = @_;
	my $began = time();
	local $Bench::Group::patience = DRAIN_SECONDS;
	my @nodes = $group->nodes;
	$nodes[$_]->sql('INSERT INTO marker VALUES (' . (1000 + $_) . ')') foreach 0, 1;
	return eval {
		$group->wait_until($nodes[$_], 'EXISTS (SELECT FROM marker WHERE id = ' . (1001 - $_) . ')', 'no marker')
		  foreach 0, 1;
		time() - $began;
	};
}

sub rows_of
{
	my ($server) = @_;
	return map { split(/\|/, $_, 2) } split(/\n/, $server->sql("SELECT id, v || ' ' || src FROM storm"));
}

sub measure
{
	my ($self, $system) = @_;
	return $self->with_nodes(
		$system, 2,
		sub {
			my ($group) = @_;
			$group->offer(storm => 'id int PRIMARY KEY, v int, src text');
			$group->node(1)->sql("INSERT INTO storm SELECT i, 0, 'start' FROM generate_series(1, " . KEYS . ') i');
			$group->follow;
			$group->{system}->link_back($group);
			$group->tidy;

			my @clients = map { $self->start_clients($_) } $group->nodes;
			my $tps = 0;
			$tps += $_->finish->{tps} foreach @clients;
			my $drain = $self->drain($group);
			my %here = rows_of($group->node(1));
			my %there = rows_of($group->node(2));
			my $differ = grep { ($here{$_} // '') ne ($there{$_} // '') } 1 .. KEYS;
			return { differ => $differ, tps => $tps, defined $drain ? (drain => $drain) : () };
		},
		both_ways => 1);
}

1;
