# Figures as a table to be read.
package Bench::Table;

use strict;
use warnings;
use List::Util qw(max);

use constant MAX_COLUMNS => 5;

sub _number
{
	my ($value) = @_;
	return sprintf('%.0f', $value) if abs($value) >= 100 || $value == 0;
	return sprintf('%.1f', $value) if abs($value) >= 10;
	return sprintf('%.2f', $value) if abs($value) >= 0.1;
	return sprintf('%.3f', $value);
}

# Median, spread, ratio.
sub _cell
{
	my ($figures, $contender, $figure) = @_;
	my $summary = $figures->summary($contender, $figure) or return '-';
	my $text = _number($summary->{median});
	$text .= sprintf(' ±%.0f%%', 100 * $summary->{spread}) if @{ $summary->{rounds} } > 1;
	$text .= sprintf('  %.2fx', $summary->{ratio}) if defined $summary->{ratio};
	return $text;
}

# Contenders side by side; one below the other if they are many.
sub of
{
	my ($figures) = @_;
	my @contenders = @{ $figures->{contenders} };
	my @figures = @{ $figures->{figures} };
	my @title = map { "$_->{text}" . ($_->{unit} ? ", $_->{unit}" : '') } @figures;
	my @rows;
	if (@contenders <= MAX_COLUMNS)
	{
		@rows = (
			[ '', @contenders ],
			map { my $i = $_; [ $title[$i], map { _cell($figures, $_, $figures[$i]) } @contenders ] } 0 .. $#figures);
	}
	else
	{
		@rows = (
			[ '', @title ],
			map { my $contender = $_; [ $contender, map { _cell($figures, $contender, $_) } @figures ] } @contenders);
	}
	my $text = _layout(@rows);
	$text .= "$_: $figures->{remarks}{$_}\n" foreach grep { $figures->{remarks}{$_} } @contenders;
	return $text;
}

sub _layout
{
	my @rows = @_;
	my @width;
	foreach my $row (@rows)
	{
		$width[$_] = max($width[$_] // 0, _length($row->[$_])) foreach 0 .. $#$row;
	}
	return join('', map { my $row = $_; join(' | ', map { $row->[$_] . ' ' x ($width[$_] - _length($row->[$_])) } 0 .. $#$row) . "\n" } @rows);
}

# In characters: the sign of the spread has two bytes.
sub _length
{
	my ($text) = @_;
	utf8::decode($text);
	return length($text);
}

1;
