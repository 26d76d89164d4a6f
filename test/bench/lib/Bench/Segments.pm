# WAL segments that are there before they are needed, as on a server that has
# run for a while: else each turn would write its WAL twice, once as zeros.
package Bench::Segments;

use strict;
use warnings;

use constant SEGMENT_BYTES => 16 * 1024 * 1024;
use constant SEGMENTS_PER_NAME => 256;

sub new
{
	my ($class, $dir, $count) = @_;
	my $self = bless { dir => $dir, serial => 0, count => $count }, $class;
	mkdir $dir or die "$dir: $!\n";
	my $zeros = "\0" x SEGMENT_BYTES;
	foreach (1 .. $count)
	{
		my $file = $self->_next_file;
		open(my $out, '>', $file) or die "$file: $!\n";
		syswrite($out, $zeros) == SEGMENT_BYTES && close($out) or die "$file: $!\n";
	}
	return $self;
}

sub _next_file { my ($self) = @_; return sprintf('%s/%08d', $self->{dir}, ++$self->{serial}); }

sub _held { my ($self) = @_; return glob("$self->{dir}/*"); }

# Those of a server, the first one first.
sub _of { my ($data) = @_; return grep { /\/[0-9A-F]{24}$/ } glob("$data/pg_wal/*"); }

# Give a server that has not yet run this share of them, after its last one.
sub lend
{
	my ($self, $data, $share) = @_;
	my @free = $self->_held;
	my ($last) = (_of($data))[-1] =~ /([0-9A-F]{24})$/;
	my $number = hex(substr($last, 8, 8)) * SEGMENTS_PER_NAME + hex(substr($last, 16, 8));
	foreach my $file (splice(@free, 0, int($self->{count} * $share)))
	{
		$number++;
		my $name = sprintf('%s%08X%08X', substr($last, 0, 8),
			int($number / SEGMENTS_PER_NAME), $number % SEGMENTS_PER_NAME);
		rename($file, "$data/pg_wal/$name") or die "$file: $!\n";
	}
	return;
}

# Take those of a server that will not run again.
sub take_back
{
	my ($self, $data) = @_;
	my @held = $self->_held;
	my $room = $self->{count} - @held;
	foreach my $file (_of($data))
	{
		last if $room <= 0;
		next if (-s $file // 0) != SEGMENT_BYTES;
		rename($file, $self->_next_file) or die "$file: $!\n";
		$room--;
	}
	return;
}

1;
