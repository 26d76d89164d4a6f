#!/usr/bin/env python3
"""The house rules that a machine can check.

Usage: lint.py [root of the tree]

Prints one line per finding, "path: what is wrong", and exits 1 if there is
any.  CONTRIBUTING.md explains the rules.
"""
import glob
import os
import re
import subprocess
import sys

# From the bottom up.  The last one, '', is src/topgun.c.
LAYERS = ('base', 'clock', 'row', 'digest', 'journal', 'capture', 'merge', 'bulk',
          'transport', 'cluster', 'worker', 'api', '')
NEVER_MEET = ({'capture', 'merge'},)

MAX_FILE_LINES = 1000
MAX_FUNCTION_LINES = 80
MAX_PARAMETERS = 6
MAX_STATICS = 3

# Long because it repeats one statement, not because it decides much.
LONG_BY_NATURE = {'tg_guc_define'}

# Hooks, whose parameters the server dictates.
DICTATED = {'process_utility'}

# Their contract stands once, at the type of which they are the members.
CONTRACT_ELSEWHERE = re.compile(r'^(_PG_init|tg_\w+_shmem_(size|attach)|topgun_\w+)$')

EXPORTED = re.compile(r'^(_PG_init|Pg_magic_func|topgun_\w+|pg_finfo_topgun_\w+)$')


def without_comments(text):
    """The code, with comments blanked but every line where it was."""
    return re.sub(r'/\*.*?\*/', lambda m: '\n' * m.group().count('\n'), text, flags=re.S)


def without_strings(code):
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', code)


def layer_of(path):
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else ''


# ---------------------------------------------------------------- one file

def check_banner(path, text):
    if not text.startswith('/*---') or f'\n * {path}\n' not in text[:300]:
        yield 'the opening comment does not name the file'
    if path.endswith('.h'):
        guard = 'TG_' + path[4:-2].replace('/', '_').replace('.', '_').upper() + '_H'
        if f'#ifndef {guard}\n#define {guard}\n' not in text:
            yield f'the include guard is not {guard}'
        if re.search(r'^#include "postgres(_fe)?\.h"', text, re.M):
            yield 'a header includes postgres.h'


def check_layers(path, text):
    here = layer_of(path)
    if here not in LAYERS:
        yield f'"{here}" is not a layer'
        return
    for other in re.findall(r'^#include "(\w+)/\w+\.h"', text, re.M):
        if other not in LAYERS or not os.path.isdir(f'src/{other}') or other == here:
            continue
        if LAYERS.index(other) > LAYERS.index(here):
            yield f'includes "{other}/", a layer above "{here}/"'
        if {other, here} in NEVER_MEET:
            yield f'"{here}/" and "{other}/" may not meet'
    if re.search(r'^#include "libpq-fe\.h"', text, re.M) and here != 'transport':
        yield 'libpq-fe.h outside src/transport/'


def functions(text):
    """Yield (name, parameters, is static, has comment, number of lines)."""
    lines = text.split('\n')
    start = None
    for number, line in enumerate(lines):
        if line == '{':
            start = number
        elif line == '}' and start is not None:
            top = start - 1
            while top > 0 and lines[top].strip() and not lines[top].endswith('*/'):
                top -= 1
            head = ' '.join(lines[top + 1:start])
            match = re.search(r'(\w+)\s*\((.*)\)\s*$', head)
            if match:
                yield (match.group(1), match.group(2), head.startswith('static'),
                       lines[top].endswith('*/'), number - start - 1)
            start = None


def check_functions(path, text):
    for name, parameters, static, has_comment, length in functions(text):
        if not static and not has_comment and not CONTRACT_ELSEWHERE.match(name):
            yield f'{name}() is exported without a comment'
        if length > MAX_FUNCTION_LINES and name not in LONG_BY_NATURE:
            yield f'{name}() has {length} lines, the limit is {MAX_FUNCTION_LINES}'
        count = len(re.sub(r'\([^()]*\)', '', parameters).split(','))
        if count > MAX_PARAMETERS and name not in DICTATED:
            yield f'{name}() has {count} parameters, the limit is {MAX_PARAMETERS}'
        if not static and path.startswith('src/') and not re.match(r'_PG_|tg_|topgun_', name):
            yield f'{name}() is exported, but not named tg_* or topgun_*'
        if name.startswith('topgun_') and layer_of(path) not in ('api', 'capture') \
                and (layer_of(path), name.rsplit('_')[-1]) not in (('worker', 'main'), ('bulk', 'worker')):
            yield f'{name}() is called by the server, but not in src/api/'
    length = text.count('\n')
    if length > MAX_FILE_LINES:
        yield f'{length} lines, the limit is {MAX_FILE_LINES}'


def calls(code, name):
    """Yield the arguments of every call, which may span lines."""
    for match in re.finditer(r'\b%s\(' % name, code):
        depth, at, quoted = 1, match.end(), False
        while depth and at < len(code):
            char = code[at]
            if quoted:
                if char == '\\':
                    at += 1
                elif char == '"':
                    quoted = False
            elif char == '"':
                quoted = True
            elif char in '()':
                depth += 1 if char == '(' else -1
            at += 1
        yield code[match.end():at - 1]


def check_errors(path, text):
    code = without_comments(text)
    for call in calls(code, 'ereport'):
        level = call.split(',')[0].strip()
        if level in ('ERROR', 'FATAL', 'PANIC') and 'errcode' not in call:
            yield 'ereport(ERROR) without errcode(): ' + ' '.join(call.split())[:60]
    for kind in ('errmsg', 'errmsg_internal', 'errmsg_plural'):
        for call in calls(code, kind):
            match = re.match(r'\s*"((?:[^"\\]|\\.)*)"', call)
            if not match:
                continue
            message = match.group(1)
            if re.match(r'[A-Z][a-z]', message) or message.endswith('.') \
                    or message.lower().startswith('topgun:') or '\\n' in message:
                yield f'message style: "{message}"'
    for kind in ('errdetail', 'errhint'):
        for call in calls(code, kind):
            literals = re.findall(r'"((?:[^"\\]|\\.)*)"', call)
            if len(literals) == 1 and not re.match(r'%|.*[.?)%s]$', literals[0]):
                yield f'{kind} is not a sentence: "{literals[0]}"'


def check_code(path, text):
    code = without_comments(text)
    plain = without_strings(code)
    for call in calls(plain, 'Assert'):
        if re.search(r'(?<![=!<>])=(?!=)', call):
            yield 'an assignment inside Assert()'
    if 'PG_VERSION_NUM' in code and path != 'src/base/compat.h':
        yield 'PG_VERSION_NUM outside src/base/compat.h'
    if re.search(r'\b(TODO|FIXME|XXX|HACK)\b', text):
        yield 'an unfinished note in the source; open an issue instead'
    if re.search(r'^\s+goto\s', plain, re.M):
        yield 'goto'
    if re.search(r'^\s*//', code, re.M):
        yield 'a // comment'
    if re.search(r'^\s*extern\s+(?!PGDLLEXPORT\b)', plain, re.M) and path.endswith('.c'):
        yield 'extern in a .c file'
    if re.search(r'[ \t]+$', text, re.M):
        yield 'blanks at the end of a line'
    statics = [line for line in re.findall(r'^static (?!inline\b)[^;({]*[;=]', plain, re.M)
               if 'prev_' not in line and ' const ' not in line]
    if len(statics) > MAX_STATICS:
        yield f'{len(statics)} file-scope variables, the limit is {MAX_STATICS}'


FILE_CHECKS = (check_banner, check_layers, check_functions, check_errors, check_code)


# ------------------------------------------------------------- whole tree

def check_cycles(sources):
    """Modules include each other in one direction only."""
    graph = {}
    for path, text in sources.items():
        module = path[4:-2]
        needs = {n for n in re.findall(r'^#include "(\w+/\w+)\.h"', text, re.M)
                 if f'src/{n}.h' in sources}
        graph.setdefault(module, set()).update(needs - {module})
    done, trail = set(), []

    def visit(module):
        if module in trail:
            return trail[trail.index(module):] + [module]
        if module in done:
            return None
        trail.append(module)
        for other in sorted(graph.get(module, ())):
            found = visit(other)
            if found:
                return found
        trail.pop()
        done.add(module)
        return None

    for module in sorted(graph):
        cycle = visit(module)
        if cycle:
            yield 'src: modules include each other: ' + ' -> '.join(cycle)
            return


def check_settings(sources):
    """Settings are alphabetical and stand in README.md."""
    text = sources.get('src/base/guc.c', '')
    names = re.findall(r'DefineCustom\w+Variable\("(topgun\.\w+)"', text)
    if names != sorted(names):
        yield 'src/base/guc.c: settings are not in alphabetical order'
    readme = open('README.md', encoding='utf-8').read() if os.path.exists('README.md') else ''
    for name in names:
        if f'`{name}`' not in readme:
            yield f'README.md: setting {name} is not described'


def check_sqlstates(sources):
    text = sources.get('src/base/error.h', '')
    readme = open('README.md', encoding='utf-8').read() if os.path.exists('README.md') else ''
    codes = [''.join(re.findall(r"'(\w)'", line))
             for line in re.findall(r'MAKE_SQLSTATE\(([^)]*)\)', text)]
    for code in codes:
        if codes.count(code) > 1:
            yield f'src/base/error.h: {code} is used twice'
        if f'`{code}`' not in readme:
            yield f'README.md: SQLSTATE {code} is not described'


def check_sql():
    """Every object of the install script has a comment and a C symbol."""
    text = ''
    for path in sorted(glob.glob('src/sql/[0-9]*.sql')):
        text += open(path, encoding='utf-8').read()
    made = re.findall(r'^CREATE (?:OR REPLACE )?(?:UNLOGGED )?(FUNCTION|PROCEDURE|VIEW|TABLE|SCHEMA|TYPE)'
                      r' (?:IF NOT EXISTS )?([\w.]+)', text, re.M)
    for kind, name in sorted(set(made)):
        if not re.search(rf'^COMMENT ON {kind} {re.escape(name)}\b', text, re.M):
            yield f'src/sql: {kind.lower()} {name} has no comment'
    for body in re.findall(r"AS 'MODULE_PATHNAME'(.{0,40})", text):
        if not body.startswith(", 'topgun_"):
            yield f"src/sql: a C function without its symbol written: AS 'MODULE_PATHNAME'{body}"


def check_tests():
    """Every test has what it needs to be run, and nothing is switched off."""
    numbers = [os.path.basename(p)[:4] for p in glob.glob('test/t/*.pl')]
    for number in sorted(set(numbers)):
        if not re.match(r'\d{3}_', number):
            yield f'test/t: a name that does not begin with NNN_: {number}'
        if numbers.count(number) > 1:
            yield f'test/t: number {number[:3]} is used {numbers.count(number)} times'
    for path in glob.glob('test/t/*'):
        if not path.endswith('.pl'):
            yield f'{path}: not run, it does not end in .pl'
    for script, result in (('sql/{}.sql', 'expected/{}.out'),
                           ('test/isolation/specs/{}.spec', 'test/isolation/expected/{}.out')):
        for made, other, missing in ((script, result, 'no expected output'),
                                     (result, script, 'not run, no test of that name')):
            left, right = made.split('{}')
            for path in sorted(glob.glob(made.format('*'))):
                name = path[len(left):-len(right)]
                name = re.sub(r'_\d$', '', name) if made == result \
                    and not os.path.exists(other.format(name)) else name
                if not os.path.exists(other.format(name)):
                    yield f'{path}: {missing}'
    if os.path.exists('test/unit/run'):
        runner = open('test/unit/run', encoding='utf-8').read()
        for path in sorted(glob.glob('test/unit/*_test.c') + glob.glob('test/unit/test_*.c')):
            name = os.path.basename(path)
            if name not in runner and '*' not in runner:
                yield f'{path}: not run by test/unit/run'
    off = re.compile(r'plan\s+skip_all|\bskip\(|todo_skip|\bTODO\b|\$TODO')
    for path in glob.glob('test/t/*.pl') + glob.glob('test/perl/*/*.pm') + glob.glob('sql/*.sql'):
        if off.search(open(path, encoding='utf-8').read()):
            yield f'{path}: a test is switched off'


def check_exports():
    """Only our SQL functions leave the library, if it has been built."""
    if not os.path.exists('topgun.so'):
        return
    listing = subprocess.run(['nm', '-D', '--defined-only', 'topgun.so'],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in listing.splitlines():
        name = line.split()[-1].split('@')[0]
        if not EXPORTED.match(name):
            yield f'topgun.so: symbol {name} leaves the library'


def main(root):
    os.chdir(root)
    findings = []
    sources = {}
    for path in sorted(glob.glob('src/*.[ch]') + glob.glob('src/*/*.[ch]')):
        sources[path] = open(path, encoding='utf-8').read()
    for path, text in sources.items():
        for check in FILE_CHECKS:
            findings += [f'{path}: {problem}' for problem in check(path, text)]
    for problems in (check_cycles(sources), check_settings(sources), check_sqlstates(sources),
                     check_sql(), check_tests(), check_exports()):
        findings += list(problems)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else
                  os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')))
