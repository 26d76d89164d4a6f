# What is started and must not outlive the test: it is stopped when it goes out
# of scope, which leaves the test's exit status alone.
package TopGun::Stops;

use strict;
use warnings;

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!, $@);
	$self->stop;
	return;
}

1;
