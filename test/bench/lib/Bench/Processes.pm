# CPU time of a server: of its postmaster, its children, and those that have ended.
package Bench::Processes;

use strict;
use warnings;
use Bench::Command qw(contents);
use POSIX ();

my $ticks_per_second = POSIX::sysconf(POSIX::_SC_CLK_TCK());

# Parent, own ticks, and ticks of children that were waited for; nothing if the
# process is gone.
sub _stat
{
	my ($pid) = @_;
	my ($rest) = contents("/proc/$pid/stat") =~ /^\d+ \(.*\) (.*)$/s or return;
	my @fields = split(' ', $rest);
	return ($fields[1], $fields[11] + $fields[12], $fields[13] + $fields[14]);
}

# Seconds used by the postmaster and its children so far, without the children
# that are named.  A child that has ended counts with its parent; if one ends
# while we look, it could count twice or not at all: look again.
sub cpu_seconds
{
	my ($postmaster, @without) = @_;
	my %left_out = map { $_ => 1 } @without;
	while (1)
	{
		my (undef, $own, $ended) = _stat($postmaster) or die "the postmaster is gone\n";
		my $ticks = $own + $ended;
		foreach my $pid (map { m!^/proc/(\d+)$! } glob('/proc/[0-9]*'))
		{
			next if $left_out{$pid};
			my ($parent, @ticks) = _stat($pid) or next;
			$ticks += $ticks[0] + $ticks[1] if $parent == $postmaster;
		}
		my (undef, undef, $ended_since) = _stat($postmaster) or die "the postmaster is gone\n";
		return $ticks / $ticks_per_second if $ended_since == $ended;
	}
	return;
}

1;
