# topgun: multi-master tables for PostgreSQL 15-18.
#
#   make                    build with the pg_config in the path
#   make PG_CONFIG=...      build for another server
#   make COPT=-Werror       as in CI
#   make install            into that server's directories
#   test/run                build, install and run every test

EXTENSION = topgun
EXTVERSION = 1.0

MODULE_big = topgun
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
ALL_HEADERS = $(wildcard src/*/*.h)

# The install script is the concatenation of its parts, in the order of their
# numbers.
SQL_PARTS = $(sort $(wildcard src/sql/[0-9]*.sql))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql

# Scripts of releases, as they were, and the steps from one to the next.
DATA = $(filter-out %/$(DATA_built),$(sort $(wildcard src/sql/released/$(EXTENSION)--*.sql \
	src/sql/upgrade/$(EXTENSION)--*--*.sql)))

PG_CPPFLAGS = -Isrc -I$(libpq_srcdir)
PG_CFLAGS = -Wall -Wextra -Wmissing-prototypes \
	-Wno-unused-parameter -Wno-sign-compare
SHLIB_LINK = $(libpq) -Wl,--version-script=src/exports.map

# Adding a test is adding a file.
REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=$(EXTENSION)
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=$(EXTENSION)
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

PG_CONFIG ?= pg_config

# A path with a space is one word for the shell, here and in Makefile.global.
ifneq ($(word 2,$(PG_CONFIG)),)
override PG_CONFIG := "$(PG_CONFIG)"
endif
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Makefile.global sets PROVE_FLAGS, so these come after it.
PROVE_FLAGS += -I test/perl

$(DATA_built): $(SQL_PARTS)
	cat $^ > $@

# The packaged servers are built without dependency tracking; the tree is
# small enough to rebuild whole when a header changes.
$(OBJS): $(ALL_HEADERS)

.PHONY: lint indent check-indent typedefs unit prove release

lint:
	python3 tools/lint.py

indent:
	tools/indent

check-indent:
	tools/indent --check

typedefs:
	PG_CONFIG=$(PG_CONFIG) tools/typedefs

unit:
	PG_CONFIG=$(PG_CONFIG) test/unit/run

# The TAP tests alone, against the installed extension.
prove:
	$(prove_installcheck)

# Freeze the install script of this version: from now on it does not change.
release: $(DATA_built)
	mkdir -p src/sql/released
	cp -n $< src/sql/released/
	cmp $< src/sql/released/$<
