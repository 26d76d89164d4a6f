# What was measured: for each contender and figure one value a round, and what
# follows from them.
package Bench::Figures;

use strict;
use warnings;
use List::Util qw(min max);

# Definitions are [name, unit, text, options...]; options: of => the figure of
# the reference that this one is compared with, against => the reference, if
# it is not the first contender; no_ratio => 1.
sub new
{
	my ($class, $contenders, $definitions) = @_;
	my @figures = map { my ($name, $unit, $text, %more) = @$_; { name => $name, unit => $unit, text => $text, %more } }
	  @$definitions;
	return bless {
		contenders => [@$contenders],
		figures => \@figures,
		samples => {},
		remarks => {},
	}, $class;
}

sub add
{
	my ($self, $contender, $round, $values) = @_;
	my %known = map { $_->{name} => 1 } @{ $self->{figures} };
	foreach my $name (sort keys %$values)
	{
		die "figure \"$name\" is not defined\n" if !$known{$name};
		$self->{samples}{$contender}{$name}[$round] = $values->{$name};
	}
	return;
}

# Why a contender has no figures, or not all.
sub remark
{
	my ($self, $contender, $text) = @_;
	$self->{remarks}{$contender} //= $text;
	return;
}

sub median
{
	my @sorted = sort { $a <=> $b } grep { defined } @_;
	return if !@sorted;
	my $middle = int(@sorted / 2);
	return @sorted % 2 ? $sorted[$middle] : ($sorted[ $middle - 1 ] + $sorted[$middle]) / 2;
}

# The value below which this share of the values lies.
sub quantile
{
	my ($share, @values) = @_;
	my @sorted = sort { $a <=> $b } @values;
	return $sorted[ min($#sorted, int($share * @sorted)) ];
}

sub _samples
{
	my ($self, $contender, $name) = @_;
	return @{ $self->{samples}{$contender}{$name} // [] };
}

# The median of the ratios of each round to the reference in the same round.
sub _ratio
{
	my ($self, $contender, $figure) = @_;
	return if $figure->{no_ratio};
	my $reference = $figure->{against} // $self->{contenders}[0];
	my $name = $figure->{of} // $figure->{name};
	return if $reference eq $contender && $name eq $figure->{name};
	my @ours = $self->_samples($contender, $figure->{name});
	my @theirs = $self->_samples($reference, $name);
	return median(map { $ours[$_] / $theirs[$_] }
		grep { defined $ours[$_] && $theirs[$_] } 0 .. $#ours);
}

# Median, least, greatest, half their distance as a share, ratio.
sub summary
{
	my ($self, $contender, $figure) = @_;
	my @values = grep { defined } $self->_samples($contender, $figure->{name}) or return;
	my $median = median(@values);
	return {
		median => $median,
		min => min(@values),
		max => max(@values),
		spread => $median ? (max(@values) - min(@values)) / 2 / abs($median) : 0,
		ratio => scalar($self->_ratio($contender, $figure)),
		rounds => \@values,
	};
}

# All of it, to be written as JSON.
sub data
{
	my ($self) = @_;
	my @rows;
	foreach my $figure (@{ $self->{figures} })
	{
		foreach my $contender (@{ $self->{contenders} })
		{
			my $summary = $self->summary($contender, $figure) or next;
			push @rows, { figure => $figure->{name}, unit => $figure->{unit}, contender => $contender, %$summary };
		}
	}
	return { reference => $self->{contenders}[0], figures => \@rows, remarks => $self->{remarks} };
}

1;
