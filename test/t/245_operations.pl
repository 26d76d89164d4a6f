# The runbooks of docs/operations.md, each step taken.
use strict;
use warnings;
use Cwd qw(getcwd);
use Test::More;
use TopGun::Documents;

my $bindir = qx(pg_config --bindir);
chomp $bindir;
my $documents = TopGun::Documents->new(getcwd(), $bindir);

# The three nodes that they are about.
$documents->execute('README.md', 'Three nodes in sixty seconds')
  and $documents->execute('docs/operations.md')
  and $documents->execute('docs/monitoring/README.md');
$documents->stop;
done_testing();
