# Links between nodes that can be cut, one by one and in one direction.
#
# One process listens, on a Unix socket for each node, at the address that the
# node's peers are told, and passes the bytes on.  It knows which node calls:
# the kernel names the calling process, and that one's parent is a postmaster.
# A link is in one of these states:
#
#	pass	bytes flow
#	reset	connections are closed, new ones are closed at once
#	stall	connections stay open and are accepted, but no byte flows
#	majorN	bytes flow, and new connections are told that PostgreSQL N answers
package TopGun::Proxy;

use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOL_SOCKET SOCK_STREAM);

use constant SO_PEERCRED => 17;
use constant CHUNK => 256 * 1024;

# nodes => { number => { listen => path, forward => path, pidfile => path } }
sub start
{
	my ($class, %nodes) = @_;
	my %listeners;
	foreach my $number (keys %nodes)
	{
		unlink $nodes{$number}{listen};
		$listeners{$number} = IO::Socket::UNIX->new(
			Type => SOCK_STREAM,
			Local => $nodes{$number}{listen},
			Listen => 64) or die "cannot listen at $nodes{$number}{listen}: $!";
		$listeners{$number}->blocking(0);
	}

	pipe(my $commands, my $control) or die "cannot make a pipe: $!";
	pipe(my $done, my $answer) or die "cannot make a pipe: $!";
	my $pid = fork() // die "cannot fork: $!";
	if ($pid == 0)
	{
		# Nothing of the test may run at the end of this process.
		close($control);
		close($done);
		$SIG{PIPE} = 'IGNORE';
		$SIG{INT} = $SIG{TERM} = 'DEFAULT';
		eval { run(\%nodes, \%listeners, $commands, $answer); 1 }
		  or print STDERR "# proxy: $@";
		POSIX::_exit(0);
	}
	close($commands);
	close($answer);
	$control->autoflush(1);
	return bless { pid => $pid, control => $control, done => $done }, $class;
}

# Set the state of the link on which node "from" calls node "to".
sub set
{
	my ($self, $from, $to, $state) = @_;
	print { $self->{control} } "$from $to $state\n";
	defined(readline($self->{done})) or die "the proxy has died";
	return;
}

sub stop
{
	my ($self) = @_;
	return if !$self->{pid};
	close($self->{control});
	waitpid(delete $self->{pid}, 0);
	return;
}

# ----------------------------------------------------- in the proxy's process

sub run
{
	my ($nodes, $listeners, $commands, $answer) = @_;
	my (%state, %connections);
	my %node_of = map { fileno($listeners->{$_}) => $_ } keys %$listeners;
	my $readers = IO::Select->new($commands, values %$listeners);
	$answer->autoflush(1);
	$commands->blocking(0);

	while (1)
	{
		my $writers = IO::Select->new;
		my $wanted = IO::Select->new($readers->handles);
		foreach my $connection (values %connections)
		{
			next if state_of(\%state, $connection) eq 'stall';
			foreach my $end (0, 1)
			{
				my $other = $connection->{end}[ 1 - $end ];
				$writers->add($other) if length $connection->{pending}[$end];
				$wanted->add($connection->{end}[$end])
				  if length($connection->{pending}[$end]) < 4 * CHUNK;
			}
		}
		my ($readable, $writable) = IO::Select->select($wanted, $writers, undef, 1);

		foreach my $handle (@{ $readable || [] })
		{
			my $fd = fileno($handle);
			next if !defined $fd;
			if ($handle == $commands)
			{
				return if !obey($commands, $answer, \%state, \%connections);
			}
			elsif (my $to = $node_of{$fd})
			{
				accept_one($nodes, $handle, $to, \%state, \%connections);
			}
			elsif (my $connection = $connections{$fd})
			{
				receive($connection, $handle) or drop($connection, \%connections);
			}
		}
		foreach my $handle (@{ $writable || [] })
		{
			my $fd = fileno($handle);
			my $connection = defined $fd ? $connections{$fd} : undef;
			next if !$connection;
			forward($connection, $handle) or drop($connection, \%connections);
		}
	}
	return;
}

sub state_of
{
	my ($state, $connection) = @_;
	return $state->{"$connection->{from} $connection->{to}"} // 'pass';
}

# Read commands; false when there is nobody left to give them.
sub obey
{
	my ($commands, $answer, $state, $connections) = @_;
	while (1)
	{
		my $line = readline($commands);
		return !eof_of($commands) if !defined $line;
		my ($from, $to, $what) = split(' ', $line);
		$state->{"$from $to"} = $what;
		if ($what eq 'reset')
		{
			my %seen;
			drop($_, $connections)
			  foreach grep { $_->{from} eq $from && $_->{to} eq $to && !$seen{$_}++ }
			  values %$connections;
		}
		print $answer "done\n";
	}
	return;
}

sub eof_of
{
	my ($handle) = @_;
	return 0 if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
	return 1;
}

sub accept_one
{
	my ($nodes, $listener, $to, $state, $connections) = @_;
	my $client = $listener->accept or return;
	my $from = caller_of($nodes, $client);
	return close($client) if ($state->{"$from $to"} // 'pass') eq 'reset';

	my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $nodes->{$to}{forward});
	return close($client) if !$server;
	$_->blocking(0) foreach $client, $server;
	my $connection = {
		from => $from,
		to => $to,
		end => [ $client, $server ],
		pending => [ '', '' ],
		major => ($state->{"$from $to"} // '') =~ /^major(\d+)$/ ? $1 : undef,
	};
	$connections->{ fileno($_) } = $connection foreach $client, $server;
	return;
}

# The number of the node whose process is at the other end; 0 if it is none.
sub caller_of
{
	my ($nodes, $client) = @_;
	my ($pid) = unpack('iii', getsockopt($client, SOL_SOCKET, SO_PEERCRED));
	my $parent = first_line("/proc/$pid/stat");
	$parent =~ s/.*\) \S+ (\d+) .*/$1/s;
	foreach my $number (keys %$nodes)
	{
		my $postmaster = first_line($nodes->{$number}{pidfile});
		chomp $postmaster;
		return $number if $postmaster ne '' && ($parent eq $postmaster || $pid eq $postmaster);
	}
	return 0;
}

sub first_line
{
	my ($path) = @_;
	open(my $in, '<', $path) or return '';
	my $line = readline($in);
	return $line // '';
}

# Take what one end has sent; false at its end.
sub receive
{
	my ($connection, $handle) = @_;
	my $end = $handle == $connection->{end}[0] ? 0 : 1;
	my $got = sysread($handle, $connection->{pending}[$end], CHUNK,
		length $connection->{pending}[$end]);
	if (!defined $got)
	{
		return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
	}
	return 0 if $got == 0;
	$connection->{pending}[1] =~ s/(server_version\0)\d+/$1$connection->{major}/ if $connection->{major};
	return forward($connection, $connection->{end}[ 1 - $end ]);
}

# Give one end what the other has sent.
sub forward
{
	my ($connection, $handle) = @_;
	my $from_end = $handle == $connection->{end}[0] ? 1 : 0;
	return 1 if !length $connection->{pending}[$from_end];
	my $sent = syswrite($handle, $connection->{pending}[$from_end]);
	return $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR if !defined $sent;
	substr($connection->{pending}[$from_end], 0, $sent) = '';
	return 1;
}

sub drop
{
	my ($connection, $connections) = @_;
	foreach my $handle (@{ $connection->{end} })
	{
		delete $connections->{ fileno($handle) } if defined fileno($handle);
		close($handle);
	}
	return;
}

1;
