------------------------------- MODULE Moves -------------------------------
(* Rule 36: a partition that moves has batches in several WALs. Compactors   *)
(* make objects of each WAL's slots, in that WAL's order (rule 8), and a     *)
(* partition's batches must become objects in their order, with the          *)
(* producers' state that goes with them.                                     *)
(*                                                                           *)
(* What Wal.tla and Obj2.tla check is taken for granted here: a slot that is *)
(* written is durable, a leadership ends where all of its slots are, and a   *)
(* Register is one entry that is checked against the state at its own        *)
(* position. A compactor's view of the metadata may be of any age, and a     *)
(* Register may come late and more than once.                                *)
(*                                                                           *)
(* Mut is a set of strings; each one removes one safeguard.                  *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Wals, Parts, Compactors,
  MaxBatch,   \* batches of each partition
  MaxSlot,    \* slots of each WAL
  Leader0,    \* WAL of the first leader of every partition
  Mut

VARIABLES
  slots,   \* slots[w]: a sequence; a slot is a set of batches <<partition, offset>>
  lead,    \* lead[p]: the WAL of its leader
  next,    \* next[p]: its next offset
  meta,    \* the metadata: first slot that is not replaced, registered end, producers
  held,    \* held[p]: offsets that objects hold
  view,    \* view[c]: what a compactor knows of the metadata
  work     \* work[c]: the Register that it sends, or none
vars == <<slots, lead, next, meta, held, view, work>>

M(x) == x \in Mut
None == [w |-> "none"]

Init ==
  /\ slots = [w \in Wals |-> <<>>]
  /\ lead = [p \in Parts |-> Leader0]
  /\ next = [p \in Parts |-> 0]
  /\ meta = [floor |-> [w \in Wals |-> 1], end |-> [p \in Parts |-> 0], known |-> [p \in Parts |-> {}]]
  /\ held = [p \in Parts |-> {}]
  /\ view = [c \in Compactors |-> meta]
  /\ work = [c \in Compactors |-> None]

----------------------------------------------------------------------------
Write(w, S) ==     \* one slot with the next batch of some partitions led there
  /\ S # {} /\ \A p \in S : lead[p] = w /\ next[p] < MaxBatch
  /\ Len(slots[w]) < MaxSlot
  /\ slots' = [slots EXCEPT ![w] = Append(@, {<<p, next[p]>> : p \in S})]
  /\ next' = [p \in Parts |-> IF p \in S THEN next[p] + 1 ELSE next[p]]
  /\ UNCHANGED <<lead, meta, held, view, work>>

Move(p, w) ==      \* Release and AssignLeader, or Recovered and AssignLeader
  /\ lead[p] # w
  /\ lead' = [lead EXCEPT ![p] = w]
  /\ UNCHANGED <<slots, next, meta, held, view, work>>

----------------------------------------------------------------------------
(* A compactor reads slots from..k of w on top of what m says.               *)
RECURSIVE EndAfter(_, _, _, _)
EndAfter(m, w, k, p) ==
  IF k < m.floor[w] THEN m.end[p]
  ELSE LET e == EndAfter(m, w, k - 1, p)
           found == {b[2] : b \in {x \in slots[w][k] : x[1] = p /\ x[2] >= e}}
       IN IF found = {} THEN e ELSE (CHOOSE o \in found : TRUE) + 1

\* The first slot with a partition whose earlier batches are in no object and not
\* in this run ends the run.
InOrder(m, w, k) ==
  \A j \in m.floor[w]..k : \A b \in slots[w][j] : b[2] <= EndAfter(m, w, j - 1, b[1])

Taken(m, w, k, p) ==
  {b[2] : b \in {x \in UNION {slots[w][j] : j \in m.floor[w]..k} : x[1] = p /\ x[2] >= m.end[p]}}

See(c) ==
  /\ view[c] # meta
  /\ view' = [view EXCEPT ![c] = meta]
  /\ UNCHANGED <<slots, lead, next, meta, held, work>>

Begin(c, w, k) ==
  /\ work[c] = None
  /\ k \in view[c].floor[w]..Len(slots[w])
  /\ M("NoStop") \/ InOrder(view[c], w, k)
  /\ work' = [work EXCEPT ![c] =
       [w |-> w, from |-> view[c].floor[w], to |-> k,
        parts |-> {p \in Parts : Taken(view[c], w, k, p) # {}},
        follows |-> view[c].end, known |-> view[c].known,
        end |-> [p \in Parts |-> EndAfter(view[c], w, k, p)],
        take |-> [p \in Parts |-> Taken(view[c], w, k, p)]]]
  /\ UNCHANGED <<slots, lead, next, meta, held, view>>

\* The extents of an object go on where the state before them ended, without a hole.
Whole(r, p) == r.take[p] = r.follows[p]..(r.end[p] - 1)

Accepted(r) ==
  /\ M("NoInputCheck") \/ r.from = meta.floor[r.w]                     \* rules 8, 9
  /\ \A p \in r.parts : /\ M("NoFollows") \/ r.follows[p] = meta.end[p]  \* rule 36
                        /\ M("NoHoleCheck") \/ Whole(r, p)

Register(c) ==     \* the request stays: it may come again
  LET r == work[c] IN
  /\ r # None /\ Accepted(r)
  /\ meta' = [floor |-> [meta.floor EXCEPT ![r.w] = r.to + 1],
              end |-> [p \in Parts |-> IF p \in r.parts THEN r.end[p] ELSE meta.end[p]],
              known |-> [p \in Parts |-> IF p \in r.parts THEN r.known[p] \cup r.take[p]
                                         ELSE meta.known[p]]]
  /\ held' = [p \in Parts |-> IF p \in r.parts THEN held[p] \cup r.take[p] ELSE held[p]]
  /\ UNCHANGED <<slots, lead, next, view, work>>

Forget(c) ==       \* answered, refused, or the compactor crashed
  /\ work[c] # None
  /\ work' = [work EXCEPT ![c] = None]
  /\ UNCHANGED <<slots, lead, next, meta, held, view>>

Next ==
  \/ \E w \in Wals, S \in SUBSET Parts : Write(w, S)
  \/ \E p \in Parts, w \in Wals : Move(p, w)
  \/ \E c \in Compactors : See(c) \/ Register(c) \/ Forget(c)
  \/ \E c \in Compactors, w \in Wals, k \in 1..MaxSlot : Begin(c, w, k)

Spec == Init /\ [][Next]_vars

----------------------------------------------------------------------------
\* Below the registered end a reader finds every batch.
NoHole == \A p \in Parts : held[p] = 0..(meta.end[p] - 1)
\* The producers' state there knows of every batch below it (rule 17).
ProducersKnown == \A p \in Parts : meta.known[p] = 0..(meta.end[p] - 1)
\* What is in no object is in a slot that is kept.
NothingLost ==
  \A p \in Parts : \A o \in 0..(next[p] - 1) :
    o \in held[p] \/ \E w \in Wals : \E j \in meta.floor[w]..Len(slots[w]) : <<p, o>> \in slots[w][j]
\* While slots are left, some WAL's next one can be taken: waiting for each other ends.
NeverStuck ==
  (\E w \in Wals : meta.floor[w] <= Len(slots[w])) =>
    \E w \in Wals : meta.floor[w] <= Len(slots[w]) /\ InOrder(meta, w, meta.floor[w])
=============================================================================
