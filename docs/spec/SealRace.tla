------------------------------ MODULE SealRace ------------------------------
(* Liveness of recovery: a fenced broker that does not know it (a zombie)    *)
(* goes on writing slots and may win the race for every slot that the        *)
(* recoverer tries to seal.  Does recovery end?  Safety of many Seals is in  *)
(* Wal.tla (Far > 0).                                                        *)
(*                                                                           *)
(* Positions are relative to the recoverer's: cell 0 is the slot that it     *)
(* reads next, and the frame moves with it, so that an endless race is a     *)
(* loop of finitely many states.  What is assumed of time is only:           *)
(*   - a Seal PUT is overtaken by at most Overtake landings of the zombie    *)
(*     before the store takes or refuses it (the recoverer does not know     *)
(*     this number);                                                         *)
(*   - the recoverer reads as fast as the zombie writes: while it reads it   *)
(*     lags by at most Lag slots.                                            *)
(* The zombie is under no fairness: it may stop, or write, for ever.         *)
EXTENDS Integers, FiniteSets

CONSTANTS Window,    \* PUTs that the zombie keeps in flight beyond what it acked
          Overtake, Lag,
          Patience,  \* slots it reads without meeting a free one before it acts
          MaxDist,   \* where this model stops doubling
          Mut
VARIABLES cell,      \* the slots from the recoverer's position on
          ph, got,   \* the recoverer: phase, slots read since it last put a Seal ahead
          dist,      \* distance of its next Seal ahead; 0 before the first race is lost
          pend       \* its Seal PUTs under way: [at, over]
vars == <<cell, ph, got, dist, pend>>
M(x) == x \in Mut
H == MaxDist + 2 * Window + Lag + Overtake
Cells == 0..H

Init == /\ cell = [k \in Cells |-> "absent"] /\ ph = "read" /\ got = 0 /\ dist = 0 /\ pend = {}

(* The zombie has acked every slot of the unbroken run of data.              *)
AckedRun == CHOOSE n \in Cells : cell[n] # "data" /\ \A k \in Cells : k < n => cell[k] = "data"
Land(k) ==
  /\ cell[k] = "absent" /\ k < AckedRun + Window /\ (ph = "wait" \/ AckedRun <= Lag)
  /\ \A p \in pend : p.over < Overtake
  /\ cell' = [cell EXCEPT ![k] = "data"]
  /\ pend' = {[p EXCEPT !.over = @ + 1] : p \in pend}
  /\ UNCHANGED <<ph, got, dist>>

Shift(k) == IF k < H THEN cell[k + 1] ELSE "absent"
Read ==              \* GET of the next slot
  /\ ph = "read"
  /\ \/ cell[0] = "data" /\ cell' = [k \in Cells |-> Shift(k)]
        /\ pend' = {[p EXCEPT !.at = @ - 1] : p \in pend}
        /\ got' = (IF got < Patience THEN got + 1 ELSE got)
        /\ UNCHANGED <<ph, dist>>
     \/ cell[0] = "seal" /\ ph' = "done" /\ pend' = {} /\ UNCHANGED <<cell, got, dist>>
     \/ cell[0] = "absent" /\ ph' = "put" /\ UNCHANGED <<cell, got, dist, pend>>

(* Rule 23: each race lost doubles the distance.                             *)
Further == IF dist = 0 THEN Window ELSE IF M("FixedFar") \/ 2 * dist > MaxDist THEN dist ELSE 2 * dist

(* Rule 22: having lost before, one more Seal ahead.                         *)
Put ==
  /\ ph = "put" /\ ph' = "wait"
  /\ pend' = pend \cup {[at |-> k, over |-> 0] :
                        k \in {0} \cup (IF pend # {} \/ dist = 0 \/ M("NoFar") THEN {} ELSE {dist})}
  /\ UNCHANGED <<cell, got, dist>>

(* Rule 24: no free slot met in all this time: a race lost, too.             *)
Chase ==
  /\ ~M("NoChase") /\ ~M("NoFar") /\ ph = "read" /\ got = Patience /\ pend = {}
  /\ got' = 0 /\ dist' = Further /\ pend' = {[at |-> Further, over |-> 0]}
  /\ UNCHANGED <<cell, ph>>

Answered(p) ==       \* the store takes the Seal (200), or another was there (412)
  /\ IF p.at >= 0 /\ cell[p.at] = "absent"
     THEN cell' = [cell EXCEPT ![p.at] = "seal"] ELSE UNCHANGED cell
  /\ pend' = pend \ {p}
  /\ IF p.at = 0 /\ ph = "wait"          \* the near one: read what is there now
     THEN /\ ph' = "read" /\ dist' = IF cell[0] = "data" THEN Further ELSE dist
     ELSE UNCHANGED <<ph, dist>>
  /\ UNCHANGED got

Next == Read \/ Put \/ Chase \/ (\E p \in pend : Answered(p)) \/ \E k \in Cells : Land(k)
Fairness == WF_vars(Read) /\ WF_vars(Put) /\ WF_vars(Chase) /\ WF_vars(\E p \in pend : Answered(p))
Spec == Init /\ [][Next]_vars /\ Fairness
-----------------------------------------------------------------------------
(* Recovery ends, at a Seal that lies where it looked for it.                *)
Ends == <>(ph = "done")
DoneAtSeal == ph = "done" => cell[0] = "seal"
=============================================================================
