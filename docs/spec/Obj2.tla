-------------------------------- MODULE Obj2 --------------------------------
(* Data objects with several compactors: racing merges of several inputs,    *)
(* retention, slots of a fenced incarnation, orphan floor, GC by a collector *)
(* that lags.  Obj.tla is the same for one chain of merges.                  *)
(*                                                                           *)
(* A unit is a range of offsets; holder[u] is the object that the metadata   *)
(* log names for it.  Every object under way is one compactor's, so two of   *)
(* them are two compactors.  PUT, Register and DELETE requests stay in the   *)
(* network for ever and may act late or twice.                               *)
EXTENDS Naturals, FiniteSets, TLC
CONSTANTS Objs, MaxSeq, Mut
VARIABLES seq, floor, holder, reg,      \* metadata log: length, OrphanFloor, index, names registered
          frozen,                       \* slot s1's incarnation: 0 live, 1 fenced, 2 recovered
          birth, ins, cont,             \* object name (birth_seq), inputs, contents
          store, ok, req, refused, del, \* bucket; uploads known durable; requests; refusals received
          seen                          \* the collector's index, for one mutant
vars == <<seq, floor, holder, reg, frozen, birth, ins, cont, store, ok, req, refused, del, seen>>
M(x) == x \in Mut
Slots == {"s1", "s2"}
Units == {1, 2}
Names == Objs \cup Slots
Held(u) == holder[u] # "dropped"
Live(n) == \E u \in Units : holder[u] = n
Gone(n) == n \in reg /\ ~Live(n)

Init == /\ seq = 1 /\ floor = 0 /\ frozen = 0
        /\ holder = [u \in Units |-> IF u = 1 THEN "s1" ELSE "s2"] /\ reg = Slots
        /\ birth = [o \in Objs |-> 0] /\ ins = [o \in Objs |-> {}]
        /\ cont = [n \in Names |-> IF n = "s1" THEN {1} ELSE IF n = "s2" THEN {2} ELSE {}]
        /\ store = Slots /\ ok = {} /\ req = {} /\ refused = {} /\ del = {} /\ seen = Slots

(* Inputs as of any state of the log that the compactor may have seen, if    *)
(* their bytes can still be read; objects live together hold no unit twice.  *)
Choices == {I \in SUBSET (reg \cap store) : I # {} /\
              \A a, b \in I : a = b \/ cont[a] \cap cont[b] = {}}
Begin(o, I, b) ==
  /\ birth' = [birth EXCEPT ![o] = b] /\ ins' = [ins EXCEPT ![o] = I]
  /\ cont' = [cont EXCEPT ![o] = UNION {cont[n] : n \in I}]
  /\ ok' = ok \ {o} /\ req' = req \ {o} /\ refused' = refused \ {o}
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, store, del, seen>>
Start(o, I) ==       \* birth_seq = what the broker has applied, perhaps behind
  /\ birth[o] = 0 /\ \E b \in {x \in {seq, seq - 1} : x > 0} : Begin(o, I, b)
Again(o, I) ==       \* mutant: a refused upload is made anew under the old name
  /\ M("NameReuse") /\ o \in refused /\ o \notin reg /\ birth[o] < seq /\ Begin(o, I, seq)
Land(o) ==
  /\ birth[o] # 0 /\ o \notin store /\ store' = store \cup {o} /\ ok' = ok \cup {o}
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, req, refused, del, seen>>
Ask(o) ==
  /\ o \in ok /\ o \notin req /\ req' = req \cup {o}
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, store, ok, refused, del, seen>>

InputsLive(o) == \/ \A n \in ins[o] : Live(n)
                 \/ M("AnyInputLive") /\ \E n \in ins[o] : Live(n)
                 \/ M("NoInputCheck")
Acceptable(o) ==
  /\ ~Live(o) /\ InputsLive(o)
  /\ birth[o] >= floor \/ M("NoBirthCheck")
  /\ ~(frozen = 1 /\ "s1" \in ins[o])                    \* rule 1
TakesOver(o, u) == holder[u] \in ins[o] \/ (Mut \cap {"AnyInputLive", "NoInputCheck"} # {} /\ u \in cont[o])
CommitRegister(o) ==
  /\ o \in req /\ seq < MaxSeq /\ Acceptable(o)
  /\ seq' = seq + 1 /\ reg' = reg \cup {o}
  /\ holder' = [u \in Units |-> IF TakesOver(o, u) THEN o ELSE holder[u]]
  /\ UNCHANGED <<floor, frozen, birth, ins, cont, store, ok, req, refused, del, seen>>
Refuse(o) ==         \* the compactor learns that one copy of its request was refused
  /\ o \in req /\ ~Acceptable(o) /\ o \notin refused /\ refused' = refused \cup {o}
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, store, ok, req, del, seen>>

Entry == seq < MaxSeq /\ seq' = seq + 1
CommitDrop ==        \* retention or DeleteRecords
  /\ Entry /\ Held(2) /\ holder' = [holder EXCEPT ![2] = "dropped"]
  /\ UNCHANGED <<floor, reg, frozen, birth, ins, cont, store, ok, req, refused, del, seen>>
CommitFenceOrRecovered ==
  /\ Entry /\ frozen < 2 /\ frozen' = frozen + 1
  /\ UNCHANGED <<floor, holder, reg, birth, ins, cont, store, ok, req, refused, del, seen>>
CommitFloor ==
  /\ Entry /\ floor' \in (floor + 1)..seq
  /\ UNCHANGED <<holder, reg, frozen, birth, ins, cont, store, ok, req, refused, del, seen>>

(* A decision is right for ever once it is right, so a collector that lags   *)
(* decides the same, later.                                                  *)
GCDecide(n) ==
  /\ n \notin del /\ del' = del \cup {n}
  /\ \/ Gone(n)
     \/ /\ n \in Objs /\ birth[n] # 0 /\ (birth[n] < floor \/ M("GCByAge"))
        /\ n \notin (IF M("FloorBeforeIndex") THEN seen ELSE reg)
     \/ M("DeleteOnUnknown") /\ n \in req      \* the compactor tidies up after itself
     \/ M("DeleteOnRefusal") /\ n \in refused
     \/ M("DeleteLost") /\ n \in refused /\ \E m \in ins[n] : ~Live(m)
     \/ M("DeleteLostUnregistered") /\ n \in Objs \ reg     \* no mutant: this may be done
        /\ n \in refused /\ \E m \in ins[n] : ~Live(m)
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, store, ok, req, refused, seen>>
Look ==
  /\ M("FloorBeforeIndex") /\ seen' = reg
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, store, ok, req, refused, del>>
Delete(n) ==
  /\ n \in del /\ n \in store /\ store' = store \ {n}
  /\ UNCHANGED <<seq, floor, holder, reg, frozen, birth, ins, cont, ok, req, refused, del, seen>>

Next == \/ CommitDrop \/ CommitFenceOrRecovered \/ CommitFloor \/ Look
        \/ \E o \in Objs : \/ Land(o) \/ Ask(o) \/ CommitRegister(o) \/ Refuse(o)
                           \/ \E I \in Choices : Start(o, I) \/ Again(o, I)
        \/ \E n \in Names : GCDecide(n) \/ Delete(n)
Spec == Init /\ [][Next]_vars
-----------------------------------------------------------------------------
Readable == \A u \in Units : Held(u) => holder[u] \in store
Holds    == \A u \in Units : Held(u) => u \in cont[holder[u]]
Dropped  == [][\A u \in Units : ~Held(u) => holder'[u] = "dropped"]_vars
=============================================================================
