# cost of writes against the number of peers, 1 to 4, in CPU seconds
package Bench::Workload::growth_peers;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Load;

use constant ROWS => 500_000;
use constant SECONDS => 10;

sub contenders { return map { "$_ peers" } 1 .. 4; }

sub figures
{
	return map {
		my ($name, $text) = @$_;
		(
			[ "${name}_all", 'us', "$text: CPU of all nodes" ],
			[ "${name}_first", 'us', "$text: of A" ],
			[ "${name}_follower", 'us', "$text: of each peer" ]
		)
	} ([ 'bulk', 'row of INSERT..SELECT' ], [ 'single', 'single-row INSERT' ]);
}

sub measure
{
	my ($self, $contender) = @_;
	my ($peers) = $contender =~ /^(\d+)/;
	my $rows = $self->rows(ROWS);
	my $script = "INSERT INTO single (k, payload) VALUES (1, '" . 'x' x 100 . "');\n";
	return $self->with_nodes('topgun', $peers + 1, sub {
		my ($group) = @_;
		my %values;
		my $keep = sub {
			my ($name, $cost, $count) = @_;
			my $us = 1e6 / $count;
			$values{"${name}_all"} = $us * $cost->{cpu};
			$values{"${name}_first"} = $us * $cost->{cpu_first};
			$values{"${name}_follower"} = $us * ($cost->{cpu} - $cost->{cpu_first}) / $peers;
		};
		$group->offer(bulk => $self->row_table, single => $self->row_table);
		$group->follow;
		$group->tidy;
		$keep->('bulk', $group->cost_of($self->insert_rows('bulk', 1, $rows), "SELECT count(*) = $rows FROM bulk"), $rows);
		$group->tidy;
		my $cost = $group->cost_of(sub {
			return Bench::Load->run($group->node(1), sync => 'off',
				seconds => $self->seconds(SECONDS), scripts => [ [ 1, $script ] ]);
		});
		$keep->('single', $cost, $cost->{answer}{count});
		return \%values;
	});
}

1;
