/*
 * test/model/view.pml
 *	  How a cluster agrees on its next view: a model for Spin.
 *
 * A view is a set of members, its number the epoch.  The successor of the view
 * of epoch e is decided by one instance of Paxos among the members of that
 * view (src/cluster/ballot.c); a ballot is (attempt, proposer).  All messages
 * ever sent are kept in sets: any of them may arrive at any time, again, in any
 * order or never.  A node that crashes loses what it knew as a proposer, not
 * what it has promised and voted.
 *
 * Of two members, one of which has just joined, the other may decide alone
 * (src/cluster/phantom.c).  It does so only if it has never heard of the
 * newcomer; here it may at any time, which is more than it does.
 *
 * Checked after every step:
 *	1. no epoch has two views;
 *	2. at most one view has a quorum that stands behind it, a majority or the one
 *	   that may decide alone: members whose newest view it is, and who have not
 *	   voted for a successor.
 *
 * test/model/view says how it is compiled, and for what sizes.  Switches:
 *	-DN=3 -DP=2 -DA=2 -DEPOCHS=3	nodes, proposers, attempts of each, views
 *	-DONE_BY_ONE		a change adds or removes one node, else any set follows
 *	-DVOTE_ONCE			the rule that was rejected: epochs are the ballots; who
 *						has voted for an epoch votes for the next on the same
 *						base
 *	-DFORGET			a mistake: promises and votes do not survive a crash
 *	-DOWN_VALUE			a mistake: a proposer does not take over what was voted
 *	-DEITHER_ALONE		a mistake: of two, the newcomer may decide alone, too
 *	-DSTART=1			the members of the first view, as bits; else all nodes
 */
#ifndef N
#define N		3
#endif
#ifndef P
#define P		2
#endif
#ifndef A
#define A		2
#endif
#ifndef EPOCHS
#define EPOCHS	3
#endif
#ifndef START
#define START	((1 << N) - 1)
#endif

#define ALL				((1 << N) - 1)
#define BIT(n)			(1 << (n))
#define BALLOTS			(P * A)
#define OWNER(b)		(((b) - 1) % P)

#define AT(e, b)		((e) * (BALLOTS + 1) + (b))
#define OF(e, b, n)		(AT(e, b) * N + (n))
#define INSTANCES		(EPOCHS * (BALLOTS + 1))

byte view[EPOCHS + 1];			/* decided; 0: not yet */
bool told[EPOCHS + 1];			/* a proposer has seen it decided, and says so */
byte newest[N];					/* of each node, durable; 0: it has none */

#define ONES(set)		(((set) & 1) + (((set) >> 1) & 1) + (((set) >> 2) & 1) + (((set) >> 3) & 1) + (((set) >> 4) & 1))
#define MAJORITY(set, members)	(2 * ONES((set) & (members)) > ONES(members))

/* Has a node come to one other with this view? */
#define IS_JOIN_OF_TWO(e)	((e) > 1 && ONES(view[e]) == 2 && ONES(view[(e) - 1]) == 1 && (view[e] & view[(e) - 1]))
#ifdef EITHER_ALONE
#define ALONE(e)		(IS_JOIN_OF_TWO(e) -> view[e] : 0)
#else
#define ALONE(e)		(IS_JOIN_OF_TWO(e) -> view[(e) - 1] : 0)
#endif

/* Can whoever has these promises or votes go on?  Members of the view. */
#define QUORUM(set, e, n)	(MAJORITY(set, view[e]) || ((set) & ALONE(e) & BIT(n)))

#ifdef VOTE_ONCE
#define BEGIN_EPOCH(n)	skip
#else
#define BEGIN_EPOCH(n)	promised[n] = 0; accepted[n] = 0
#endif

/* Take over a view of which one has heard. */
inline learn(n)
{
	e = 1;
	do
	:: e < EPOCHS -> e++
	:: break
	od;
	if
	:: told[e] && e > newest[n] ->
		newest[n] = e;
		BEGIN_EPOCH(n)
	:: else
	fi
}

/* Any view may follow, or one that differs in one node. */
inline choose_successor(old, value)
{
#ifdef ONE_BY_ONE
	if
	:: value = old ^ BIT(0)
	:: value = old ^ BIT(1)
	:: value = old ^ BIT(2)
#if N > 3
	:: value = old ^ BIT(3)
#endif
#if N > 4
	:: value = old ^ BIT(4)
#endif
	fi;
	if
	:: value == 0 -> value = old
	:: else
	fi
#else
	value = 1;
	do
	:: value < ALL -> value++
	:: break
	od
#endif
}

#ifdef VOTE_ONCE

byte base[EPOCHS + 1];			/* the epoch that a proposed view follows */
byte proposed[EPOCHS + 1];		/* its members */
byte votes[EPOCHS + 1];			/* who has voted for it */
byte voted[N];					/* the greatest epoch that a node has voted for */

inline check()
{
	standing = 0;
	for (e : 1 .. EPOCHS) {
		mask = 0;
		for (m : 0 .. N - 1) {
			if
			:: newest[m] == e && voted[m] <= e -> mask = mask | BIT(m)
			:: else
			fi
		}
		if
		:: view[e] != 0 && MAJORITY(mask, view[e]) -> standing++
		:: else
		fi
	}
	assert(standing <= 1)
}

inline propose(n)
{
	b = newest[n] + 1;
	do
	:: b < EPOCHS -> b++
	:: break
	od;
	if
	:: b <= EPOCHS && newest[n] > 0 && (view[newest[n]] & BIT(n)) && b > voted[n] && proposed[b] == 0 ->
		choose_successor(view[newest[n]], mask);
		base[b] = newest[n];
		proposed[b] = mask
	:: else
	fi
}

inline vote(n)
{
	b = 1;
	do
	:: b < EPOCHS -> b++
	:: break
	od;
	if
	:: proposed[b] != 0 && newest[n] == base[b] && b > voted[n] && (view[base[b]] & BIT(n)) ->
		voted[n] = b;
		votes[b] = votes[b] | BIT(n);
		if
		:: MAJORITY(votes[b], view[base[b]]) ->
			assert(view[b] == 0 || view[b] == proposed[b]);
			view[b] = proposed[b];
			told[b] = true
		:: else
		fi
	:: else
	fi
}

proctype Node(byte n)
{
	byte b, e, m, mask, standing;

	do
	:: atomic { learn(n); check(); b = 0; e = 0; m = 0; mask = 0; standing = 0 }
	:: n < P -> atomic { propose(n); b = 0; e = 0; mask = 0 }
	:: atomic { vote(n); check(); b = 0; e = 0; m = 0; mask = 0; standing = 0 }
	od
}

#else

byte proposal[INSTANCES];		/* of a ballot: the view that it is for; 0: not yet chosen */
byte votes[INSTANCES];			/* who has accepted it */
byte asked[EPOCHS];				/* ballots, as bits, for which promises were asked */
byte promised[N];				/* of each node, durable: the greatest ballot promised */
byte accepted[N];				/* and the last one accepted, in the newest epoch it has */
byte running[P];				/* the ballot that a proposer runs; lost in a crash */
byte running_in[P];				/* and the epoch whose successor it is about */
byte promises[P];				/* who has promised, */
byte highest[P];				/* and the highest ballot that they have accepted */

inline check()
{
	standing = 0;
	for (e : 1 .. EPOCHS) {
		mask = 0;
		for (m : 0 .. N - 1) {
			if
			:: newest[m] == e ->
				if
				:: accepted[m] == 0 -> mask = mask | BIT(m)
				:: else
				fi
			:: else
			fi
		}
		if
		:: view[e] != 0 && (MAJORITY(mask, view[e]) || (mask & ALONE(e))) -> standing++
		:: else
		fi
	}
	assert(standing <= 1)
}

inline forget_attempt(n)
{
	running[n] = 0;
	running_in[n] = 0;
	promises[n] = 0;
	highest[n] = 0
}

/* An attempt begins with a promise to oneself. */
inline begin(n)
{
	e = newest[n];
	if
	:: e > 0 && e < EPOCHS && (view[e] & BIT(n)) ->
		b = n + 1;
		do
		:: b + P <= BALLOTS -> b = b + P
		:: break
		od;
		if
		:: b > promised[n] ->
			promised[n] = b;
			asked[e] = asked[e] | BIT(b - 1);
			running[n] = b;
			running_in[n] = e;
			promises[n] = BIT(n);
			highest[n] = accepted[n]
		:: else
		fi
	:: else
	fi
}

/* Promise to take part in no lower ballot, and say what was accepted. */
inline answer(n)
{
	e = newest[n];
	if
	:: e > 0 && e < EPOCHS && (view[e] & BIT(n)) ->
		b = 1;
		do
		:: b < BALLOTS -> b++
		:: break
		od;
		if
		:: (asked[e] & BIT(b - 1)) && b > promised[n] ->
			promised[n] = b;
			m = OWNER(b);
			if
			:: running[m] == b && running_in[m] == e && proposal[AT(e, b)] == 0 ->
				/* it arrives, now, or too late to matter */
				if
				:: promises[m] = promises[m] | BIT(n);
					if
					:: accepted[n] > highest[m] -> highest[m] = accepted[n]
					:: else
					fi
				:: skip
				fi
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

/* With promises of a quorum: the value of the highest ballot among them, or one's own. */
inline choose(n)
{
	b = running[n];
	e = running_in[n];
	if
	:: b != 0 && proposal[AT(e, b)] == 0 && QUORUM(promises[n], e, n) ->
#ifdef OWN_VALUE
		highest[n] = 0;
#endif
		if
		:: highest[n] != 0 -> proposal[AT(e, b)] = proposal[AT(e, highest[n])]
		:: else ->
			choose_successor(view[e], mask);
			proposal[AT(e, b)] = mask
		fi;
		promises[n] = 0;
		highest[n] = 0
	:: else
	fi
}

/* Vote for a ballot, unless a higher one was promised. */
inline accept(n)
{
	e = newest[n];
	if
	:: e > 0 && e < EPOCHS && (view[e] & BIT(n)) ->
		b = 1;
		do
		:: b < BALLOTS -> b++
		:: break
		od;
		if
		:: proposal[AT(e, b)] != 0 && b >= promised[n] && !(votes[AT(e, b)] & BIT(n)) ->
			promised[n] = b;
			accepted[n] = b;
			votes[AT(e, b)] = votes[AT(e, b)] | BIT(n);
			if
			:: QUORUM(votes[AT(e, b)], e, OWNER(b)) ->
				assert(view[e + 1] == 0 || view[e + 1] == proposal[AT(e, b)]);
				view[e + 1] = proposal[AT(e, b)]
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

/* A proposer that lives to see its ballot win tells the others. */
inline tell(n)
{
	b = running[n];
	e = running_in[n];
	if
	:: b != 0 && QUORUM(votes[AT(e, b)], e, n) && proposal[AT(e, b)] != 0 ->
		told[e + 1] = true;
		forget_attempt(n)
	:: else
	fi
}

inline crash(n)
{
	if
	:: n < P -> forget_attempt(n)
	:: else
	fi;
#ifdef FORGET
	promised[n] = 0;
	accepted[n] = 0
#endif
}

#define CLEAR			b = 0; e = 0; m = 0; mask = 0; standing = 0

proctype Node(byte n)
{
	byte b, e, m, mask, standing;

	do
	:: atomic { learn(n); check(); CLEAR }
	:: n < P -> atomic { begin(n); CLEAR }
	:: n < P -> atomic { choose(n); CLEAR }
	:: n < P -> atomic { tell(n); CLEAR }
	:: atomic { answer(n); CLEAR }
	:: atomic { accept(n); check(); CLEAR }
	:: atomic { crash(n); CLEAR }
	od
}

#endif

init
{
	byte i;

	atomic {
		view[1] = START;
		told[1] = true;
		for (i : 0 .. N - 1) {
			if
			:: START & BIT(i) -> newest[i] = 1
			:: else
			fi
		}
		i = 0;
		do
		:: i < N -> run Node(i); i++
		:: else -> break
		od;
		i = 0
	}
}
