# Clients at full rate: pgbench.
package Bench::Load;

use strict;
use warnings;
use Bench::Command;

my $scripts_made = 0;

# Start clients of a server.  Options: clients, seconds or transactions (of
# each client), sync (synchronous_commit), scripts => [[weight, text], ...].
sub start
{
	my ($class, $server, %options) = @_;
	my @scripts;
	foreach my $script (@{ $options{scripts} })
	{
		my ($weight, $text) = @$script;
		my $file = "$server->{dir}/script." . ++$scripts_made;
		open(my $out, '>', $file) or die "$file: $!\n";
		print {$out} $text;
		close($out) or die "$file: $!\n";
		push @scripts, '-f', "$file\@$weight";
	}
	my $clients = $options{clients} // 4;
	my @length = $options{seconds} ? ('-T', $options{seconds}) : ('-t', $options{transactions});
	my $child = Bench::Command::start(
		"$server->{dir}/pgbench.$scripts_made",
		[
			"$server->{bindir}/pgbench", '-n', '-M', 'prepared', '-c', $clients, '-j', $clients > 1 ? 2 : 1,
			@length, @scripts, $server->dsn
		],
		env => { PGOPTIONS => '-c synchronous_commit=' . ($options{sync} // 'on') });
	return bless { child => $child }, $class;
}

# Wait for their end; returns transactions a second and how many there were.
sub finish
{
	my ($self) = @_;
	my $output = Bench::Command::finish($self->{child});
	my ($tps) = $output =~ /^tps = ([\d.]+)/m or die "pgbench: no tps in: $output\n";
	my ($count) = $output =~ /transactions actually processed: (\d+)/;
	my ($failed) = $output =~ /failed transactions: (\d+)/;
	die "pgbench: $failed transactions failed\n" if $failed;
	return { tps => $tps, count => $count };
}

sub run
{
	my ($class, @arguments) = @_;
	return $class->start(@arguments)->finish;
}

1;
