# What is compared: a way to bring what one node writes to others.
package Bench::System;

use strict;
use warnings;

sub new { my ($class) = @_; return bless {}, $class; }

# Why it cannot be measured here, or nothing.
sub missing { return; }

sub is_replicating { return 1; }

# Lines for postgresql.conf.
sub settings { return ''; }

# Prepare the nodes of a group, before they have tables.
sub found { return; }

# Node 1 offers tables.
sub publish { return; }

# A node gets what node 1 has, and follows; returns when it does.
sub link { return; }

# Node 1 follows node 2, too, and concurrent changes are resolved.
sub link_back { return; }

# Do what is otherwise done a while after the fact.
sub settle { return; }

1;
