# Commands that must succeed.
package Bench::Command;

use strict;
use warnings;
use Exporter 'import';
use POSIX ();

our @EXPORT_OK = qw(run start finish contents);

sub contents
{
	my ($file) = @_;
	open(my $in, '<', $file) or return '';
	local $/;
	return readline($in) // '';
}

# Start a command with its output in a file.  Options: env => {}.
sub start
{
	my ($log, $command, %options) = @_;
	my $pid = fork() // die "fork: $!\n";
	return { pid => $pid, log => $log, command => $command } if $pid;

	%ENV = (%ENV, %{ $options{env} || {} });
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', $log) or POSIX::_exit(126);
	open(STDERR, '>&', \*STDOUT);
	exec { $command->[0] } @$command or POSIX::_exit(127);
}

# Wait for it; returns what it said.
sub finish
{
	my ($child) = @_;
	waitpid($child->{pid}, 0);
	my ($status, $output) = ($?, contents($child->{log}));
	return $output if $status == 0;
	die "@{ $child->{command} }: status $status\n" . substr($output, -2000) . "\n";
}

sub run
{
	return finish(start(@_));
}

1;
