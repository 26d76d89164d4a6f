# single-row INSERT and UPDATE by 4 clients, synchronous_commit off and on
package Bench::Workload::single;

use strict;
use warnings;
use parent -norequire, 'Bench::Workload';
use Bench::Load;
use Time::HiRes qw(time);

use constant CLIENTS => 4;
use constant SECONDS => 15;
use constant ROWS => 1_000_000;

sub figures
{
	return map {
		my ($name, $text) = @$_;
		(
			[ "${name}_tps", 'tps', $text ],
			[ "${name}_cpu", 'us', "$text: CPU of all nodes per row" ],
			[ "${name}_drain", 's', "$text: from its end to visible on B", no_ratio => 1 ]
		)
	} (
		[ 'insert_off', 'INSERT, sync off' ], [ 'insert_on', 'INSERT, sync on' ],
		[ 'update_off', 'UPDATE, sync off' ], [ 'update_on', 'UPDATE, sync on' ]);
}

sub measure
{
	my ($self, $system) = @_;
	my $rows = $self->rows(ROWS);
	my $payload = 'x' x 100;
	my %script = (
		insert => "\\set k random(1, 1000)\nINSERT INTO inserted (k, payload) VALUES (:k, '$payload');\n",
		update => "\\set id random(1, $rows)\n\\set k random(1, 1000)\nUPDATE updated SET k = :k WHERE id = :id;\n");

	return $self->with_nodes($system, $self->nodes_of($system), sub {
		my ($group) = @_;
		my %values;
		$group->offer(inserted => $self->row_table, updated => $self->row_table);
		$group->node(1)->sql($self->insert_rows('updated', 1, $rows));
		$group->follow;
		foreach my $kind ('insert', 'update')
		{
			foreach my $sync ('off', 'on')
			{
				$group->tidy;
				my $cost = $group->cost_of(sub {
					return Bench::Load->run($group->node(1), clients => CLIENTS, sync => $sync,
						seconds => $self->seconds(SECONDS), scripts => [ [ 1, $script{$kind} ] ]);
				});
				my $name = "${kind}_$sync";
				$values{"${name}_tps"} = $cost->{answer}{tps};
				$values{"${name}_cpu"} = 1e6 * $cost->{cpu} / $cost->{answer}{count};
				$values{"${name}_drain"} = $cost->{visible} - $cost->{commit} if $cost->{visible};
			}
		}
		return \%values;
	});
}

1;
