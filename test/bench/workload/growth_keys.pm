# cost of single-row UPDATE against how hot the keys are
package Bench::Workload::growth_keys;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Load;

use constant ROWS => 1_000_000;
use constant SECONDS => 10;

my %hot = ('uniform' => 0, '1000 keys' => 1000, '10 keys' => 10);

sub contenders { return ('uniform', '1000 keys', '10 keys'); }

sub figures
{
	return (
		[ 'plain_tps', 'tps', 'plain' ],
		[ 'topgun_tps', 'tps', 'topgun' ],
		[ 'plain_cpu', 'us', 'plain: CPU per row' ],
		[ 'topgun_cpu', 'us', 'topgun: CPU of both nodes per row' ],
		[ 'drain', 's', 'topgun: from the end to visible on B', no_ratio => 1 ]);
}

sub measure
{
	my ($self, $contender) = @_;
	my $rows = $self->rows(ROWS);
	my $keys = $hot{$contender} || $rows;
	my $script = "\\set id random(1, $keys)\n\\set k random(1, 1000)\nUPDATE grown SET k = :k WHERE id = :id;\n";
	my %values;
	foreach my $system ('plain', 'topgun')
	{
		my $cost = $self->with_nodes($system, $self->nodes_of($system), sub {
			my ($group) = @_;
			$group->offer(grown => $self->row_table);
			$group->node(1)->sql($self->insert_rows('grown', 1, $rows));
			$group->follow;
			$group->tidy;
			return $group->cost_of(sub {
				return Bench::Load->run($group->node(1), sync => 'off',
					seconds => $self->seconds(SECONDS), scripts => [ [ 1, $script ] ]);
			});
		});
		$values{"${system}_tps"} = $cost->{answer}{tps};
		$values{"${system}_cpu"} = 1e6 * $cost->{cpu} / $cost->{answer}{count};
		$values{drain} = $cost->{visible} - $cost->{commit} if $cost->{visible};
	}
	return \%values;
}

1;
