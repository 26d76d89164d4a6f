#!/usr/bin/env python3
"""Random histories of tombstone collection, under our rules and with one broken.

Three nodes write, pull, flush, crash, are restored from backups, cut their
journals, return by difference and collect tombstones, in random order.  In the
end all links are up and everybody pulls until nothing moves.  A history is
wrong if a node then holds something else than the newest surviving write of
each key.  Transactions are atomic here; that they are not is what other rules
are for.

    collection.py [HISTORIES] [RULE ...]
"""
import copy
import random
import sys

NODES = range(3)
KEYS = range(4)

# What heals the effects of a wrong collection in most cases: an entry whose key
# is forgotten stands for its deletion, and who returns gives up what the other
# has forgotten.  Without these two, each other rule shows what it is good for.
BARE = {'forgotten_is_deleted': False, 'delete_by_floor': False}

RULES = {
    'ours': {},
    'settled is the deleter\'s entry only': {'all_origins': False},
    'no floor: late rows come in': {'floor': False},
    'settled is told before it is flushed': {'flushed': False},
    'settled never goes back at the peer': {'overwrite': False},
    'a member that has not told counts for nothing': {'unknown_blocks': False},
    'who returns does not take over the floor': {'adopt_floor': False},
    'bare: ours': BARE,
    'bare: settled is the deleter\'s entry only': dict(BARE, all_origins=False),
    'bare: no floor': dict(BARE, floor=False),
    'bare: settled is told before it is flushed': dict(BARE, flushed=False),
    'bare: settled never goes back at the peer': dict(BARE, overwrite=False),
    'bare: a member that has not told counts for nothing': dict(BARE, unknown_blocks=False),
}
OURS = {'flushed': True, 'overwrite': True, 'all_origins': True, 'floor': True,
        'unknown_blocks': True, 'adopt_floor': True, 'delete_by_floor': True,
        'forgotten_is_deleted': True}


def writer(stamp):
    return stamp % 4


class State:
    """What a node keeps on disk, as it is visible."""

    def __init__(self):
        self.rows = {}          # key: stamp
        self.tombs = {}         # key: stamp
        self.doubtful = {}      # key: stamp, in quarantine
        self.journal = []       # (position, [(key, stamp)], vector advance, merged from)
        self.mark = 0           # of the last local write
        self.cut = 0
        self.vector = [0] * len(NODES)
        self.cursor = [0] * len(NODES)
        self.floor = 0
        self.seen = set()       # writes that were merged here, ever


class Node:
    def __init__(self, me):
        self.me = me
        self.state = State()
        self.durable = State()
        self.backup = None
        self.clock = 0
        self.told = {}          # peer: settled
        self.give_back = set()  # peers to be asked for what came from us
        self.cap = None         # our own entry, until all have given back
        self.run = 0


class World:
    def __init__(self, seed, rule):
        self.random = random.Random(seed)
        self.rule = rule
        self.wall = 0
        self.nodes = [Node(i) for i in NODES]
        self.flight = []        # answers under way
        self.up = {(a, b) for a in NODES for b in NODES if a != b}
        self.writes = {}        # stamp: (key, is a row)

    # ------------------------------------------------------------- one node
    def tick(self, node):
        node.clock = max(node.clock + 1, self.wall)
        return node.clock * 4 + node.me

    def own_entry(self, node, state):
        now = node.clock * 4 + node.me
        return now if node.cap is None else node.cap

    def vector(self, node, state):
        vector = list(state.vector)
        vector[node.me] = self.own_entry(node, state)
        return vector

    def settled(self, node, state):
        return min(self.vector(node, state))

    def put(self, node, key, stamp):
        state = node.state
        if self.writes[stamp][1]:
            state.rows[key] = stamp
        else:
            state.rows.pop(key, None)
            state.tombs[key] = max(stamp, state.tombs.get(key, 0))
        state.seen.add(stamp)
        if state.doubtful.get(key, stamp + 1) <= stamp:
            del state.doubtful[key]

    def write(self, node):
        key = self.random.choice(KEYS)
        is_row = self.random.random() < .6
        if not is_row and key not in node.state.rows:
            return
        stamp = self.tick(node)
        self.writes[stamp] = (key, is_row)
        self.put(node, key, stamp)
        position = self.tick(node)
        node.state.mark = self.own_entry(node, node.state)
        node.state.journal.append((position, [(key, stamp)], None, None))

    def flush(self, node):
        node.durable = copy.deepcopy(node.state)

    def lose(self, node, state):
        """Start again from what was on disk."""
        self.flight = [f for f in self.flight if node.me not in (f['to'], f['from'])]
        node.state = copy.deepcopy(state)
        node.durable = copy.deepcopy(state)
        node.told = {}
        node.run += 1
        node.cap = node.state.mark
        node.give_back = {n for n in NODES if n != node.me}
        node.clock = max(node.clock, self.wall)

    def cut(self, node):
        if node.state.journal:
            position = self.random.choice(node.state.journal)[0]
            node.state.cut = max(node.state.cut, position)
            node.state.journal = [j for j in node.state.journal if j[0] > node.state.cut]

    def collect(self, node):
        stable = self.settled(node, node.state)
        if not self.rule['all_origins']:
            vectors = [self.vector(n, n.state) for n in self.nodes]
        for peer in NODES:
            if peer != node.me and (self.rule['unknown_blocks'] or peer in node.told):
                stable = min(stable, node.told.get(peer, 0))
        for key, stamp in list(node.state.tombs.items()):
            if self.rule['all_origins']:
                goes = stamp <= stable
            else:
                goes = all(v[writer(stamp)] >= stamp for v in vectors)
            if goes:
                del node.state.tombs[key]
                node.state.floor = max(node.state.floor, stamp)

    # ---------------------------------------------------------------- merging
    def merge(self, node, key, stamp, exempt=False):
        """True if it was news."""
        state = node.state
        node.clock = max(node.clock, stamp // 4)
        if stamp <= max(state.rows.get(key, 0), state.tombs.get(key, 0)):
            return False
        if (self.writes[stamp][1] and key not in state.rows and self.rule['floor'] and
                not exempt and stamp <= state.floor):
            if self.vector(node, state)[writer(stamp)] < stamp:
                state.doubtful[key] = max(stamp, state.doubtful.get(key, 0))
            return False
        self.put(node, key, stamp)
        return True

    # ---------------------------------------------------------------- pulling
    def ask(self, to, source):
        if any(f['to'] == to.me and f['from'] == source.me for f in self.flight):
            return
        told = to.durable if self.rule['flushed'] else to.state
        settled = self.settled(to, told)
        if self.rule['overwrite']:
            source.told[to.me] = settled
        else:
            source.told[to.me] = max(settled, source.told.get(to.me, 0))
        cursor = to.state.cursor[source.me]
        if cursor < source.state.cut:
            self.come_back(to, source)
            return
        gives_back = source.me in to.give_back
        vector = self.vector(to, to.state)
        horizon = self.tick(source)
        answer = {'to': to.me, 'from': source.me, 'changes': {}, 'cursor': horizon,
                  'vector': [0] * len(NODES), 'gives_back': gives_back,
                  'runs': (to.run, source.run),
                  'speed': self.random.choice([1] * 11 + [.05])}
        for position, entries, advance, merged_from in source.state.journal:
            if position <= cursor:
                continue
            for key, stamp in entries:
                if merged_from == to.me and not gives_back:
                    continue
                if stamp <= vector[writer(stamp)]:
                    continue            # a newer version has an entry of its own
                now = max(source.state.rows.get(key, 0),
                          source.state.tombs.get(key, 0) if key not in source.state.rows else 0)
                if now == 0 and not self.rule['forgotten_is_deleted']:
                    continue
                if now == 0:            # the entry's own stamp, as a deletion
                    answer['changes'].setdefault(key, (stamp, True))
                    if answer['changes'][key][1]:
                        answer['changes'][key] = (max(stamp, answer['changes'][key][0]), True)
                elif now > vector[writer(now)]:
                    answer['changes'][key] = (now, False)
            if advance:
                answer['vector'] = [max(a, b) for a, b in zip(answer['vector'], advance)]
        answer['vector'][source.me] = self.own_entry(source, source.state)
        self.flight.append(answer)

    def deletion(self, node, key, stamp):
        """A deletion without a write of its own: what an entry names is gone."""
        state = node.state
        node.clock = max(node.clock, stamp // 4)
        if state.rows.get(key, 0) > stamp or state.tombs.get(key, 0) >= stamp:
            return False
        state.rows.pop(key, None)
        state.tombs[key] = stamp
        state.doubtful.pop(key, None) if state.doubtful.get(key, stamp + 1) <= stamp else None
        return True

    def deliver(self, answer):
        self.flight.remove(answer)
        to, source = self.nodes[answer['to']], self.nodes[answer['from']]
        if answer['runs'][0] != to.run:
            return
        news = []
        for key, (stamp, is_gone) in answer['changes'].items():
            if self.deletion(to, key, stamp) if is_gone else self.merge(to, key, stamp):
                news.append((key, stamp))
        self.advance(to, source, answer['vector'], answer['cursor'], news)
        if answer['gives_back']:
            self.gave_back(to, source)

    def advance(self, to, source, vector, cursor, news):
        vector = list(vector)
        vector[to.me] = 0
        to.state.vector = [max(a, b) for a, b in zip(to.state.vector, vector)]
        to.state.cursor[source.me] = max(cursor, to.state.cursor[source.me])
        to.state.journal.append((self.tick(to), news, vector, source.me))

    def gave_back(self, to, source):
        to.give_back.discard(source.me)
        if not to.give_back:
            to.cap = None

    def come_back(self, to, source):
        """Behind the cut: by difference, as one step."""
        here, there = to.state, source.state
        place, vector = self.tick(source), self.vector(source, there)
        covered = lambda s: s <= vector[writer(s)]
        news, news_there = [], []
        for key in KEYS:
            ours, theirs = here.rows.get(key, 0), there.rows.get(key, 0)
            if ours > theirs:
                gone = there.tombs.get(key, 0)
                if gone >= ours:
                    if self.merge(to, key, gone):
                        news.append((key, gone))
                elif (theirs == 0 and covered(ours) and ours <= there.floor and
                      self.rule['delete_by_floor']):
                    if self.deletion(to, key, ours):
                        news.append((key, ours))
                elif self.merge(source, key, ours, exempt=True):
                    news_there.append((key, ours))
            elif theirs > ours and self.merge(to, key, theirs, exempt=True):
                news.append((key, theirs))
        for key, stamp in list(there.tombs.items()):
            if self.deletion(to, key, stamp):
                to.state.seen.add(stamp)
                news.append((key, stamp))
        if self.rule['adopt_floor']:
            here.floor = max(here.floor, there.floor)
        if news_there:
            there.journal.append((self.tick(source), news_there, None, to.me))
        self.advance(to, source, vector, place, news)
        self.gave_back(to, source)

    # ----------------------------------------------------------------- history
    def step(self):
        pick = self.random
        node = pick.choice(self.nodes)
        self.wall += pick.randrange(3)
        dice = pick.random()
        if dice < .14:
            self.write(node)
        elif dice < .46:
            pairs = sorted(self.up)
            if pairs:
                a, b = pick.choice(pairs)
                self.ask(self.nodes[a], self.nodes[b])
        elif dice < .74:
            arrived = [f for f in self.flight if f['speed'] > pick.random()]
            if arrived:
                self.deliver(pick.choice(arrived))
        elif dice < .82:
            self.flush(node)
        elif dice < .94:
            self.collect(node)
        elif dice < .955:
            self.cut(node)
        elif dice < .965:
            node.backup = copy.deepcopy(node.durable)
        elif dice < .968:
            self.lose(node, node.durable)
        elif dice < .972:
            if node.backup:
                self.lose(node, node.backup)
        elif dice < .98:
            self.go_away(node)
        elif dice < .99:
            pair = tuple(pick.sample(NODES, 2))
            self.up ^= {pair, pair[::-1]}
        else:
            self.up = {(a, b) for a in NODES for b in NODES if a != b}

    def go_away(self, away):
        """The others go on without it for long, or only it hears nothing of
        them; it may come back older."""
        deaf = self.random.random() < .6
        links = {p for p in self.up if (away.me == p[0] if deaf else away.me in p)}
        self.up -= links
        for other in self.nodes:
            if other is not away and self.random.random() < .3:
                self.lose(other, other.durable)
        for _ in range(self.random.randrange(60)):
            self.step()
        for other in self.nodes:
            if other is not away and self.random.random() < .5:
                self.cut(other)
        if away.backup and self.random.random() < .4:
            self.lose(away, away.backup)
        self.up |= links

    def drain(self):
        self.up = {(a, b) for a in NODES for b in NODES if a != b}
        for _ in range(12):
            self.wall += 1
            for answer in list(self.flight):
                if answer in self.flight:
                    self.deliver(answer)
            for a, b in sorted(self.up):
                self.ask(self.nodes[a], self.nodes[b])

    def verdict(self):
        """Wrong, and doubtful rows."""
        alive = set().union(*(n.state.seen for n in self.nodes))
        newest = {}
        for stamp in alive:
            key, is_row = self.writes[stamp]
            newest[key] = max(newest.get(key, 0), stamp)
        expected = {k: s for k, s in newest.items() if self.writes[s][1]}
        doubtful = any(n.state.doubtful for n in self.nodes)
        wrong = any(n.state.rows != expected for n in self.nodes)
        return wrong, doubtful


def play(seed, rule):
    world = World(seed, dict(OURS, **rule))
    for _ in range(500):
        world.step()
    world.drain()
    return world.verdict()


def main():
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    names = sys.argv[2:] or list(RULES)
    failed = False
    for name in names:
        verdicts = [play(seed, RULES[name]) for seed in range(histories)]
        wrong = sum(w for w, _ in verdicts)
        doubtful = sum(d for _, d in verdicts)
        print(f'{name}: {histories} histories, {wrong} wrong, {doubtful} with rows in doubt', flush=True)
        failed |= name == 'ours' and wrong > 0
    sys.exit(failed)


if __name__ == '__main__':
    main()
