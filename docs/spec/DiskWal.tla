------------------------------ MODULE DiskWal ------------------------------
(* A disk WAL on a volume that a successor can mount: one incarnation holds  *)
(* it under a lease, another host takes over when the lease is certainly     *)
(* over.  No store refuses a late write here, so fencing rests on clocks:    *)
(* rule 21, the one exception to "clocks affect liveness only".              *)
(*                                                                           *)
(* Time: `now` is the controllers' clock.  The holder's clock shows          *)
(* now - lag; lag only grows (a fast clock is harmless) and by at most Drift *)
(* in all.  That is the assumption: between two heartbeats two hosts' clocks *)
(* that also run through a suspend differ by less than the margin.  A paused *)
(* process is one that takes no step while `now` goes on.                    *)
(*                                                                           *)
(* Volume: file[k] is the k-th place of the holder's preallocated segment;   *)
(* "old" are the bytes of a recycled segment.  A write once issued may take  *)
(* effect at any time and again (`issued` never shrinks): page cache, NFS    *)
(* retransmission.  Until fdatasync returned (durable) it may also vanish.   *)
EXTENDS Integers, FiniteSets

CONSTANTS MaxPos,    \* records
          MaxT, Lease, Drift,
          MaxHb,     \* heartbeats
          Rcv,       \* recoverers
          MayLose,   \* times the volume loses what was not made durable
          HolderControls,  \* the holder is controller 1 itself
          Mut

VARIABLES now, lag,
          file, durable, lost,               \* the volume
          issued, synced, acked, until, dead, \* the holder: writes, known durable, acked, lease end
          hb, granted,                       \* heartbeats and answers under way, for ever
          ctrl, last,                        \* the controller by the log; its last grant, by its clock
          st, end,                           \* the incarnation in the metadata log
          rc,                                \* recoverers
          succ                               \* the successor's acked record: where, or 0
vars == <<now, lag, file, durable, lost, issued, synced, acked, until, dead, hb, granted, ctrl, last, st, end, rc, succ>>
clock  == <<now, lag>>
volume == <<file, durable, lost>>
holder == <<issued, synced, acked, until, dead>>
lease  == <<hb, granted, ctrl, last>>
log    == <<st, end>>

M(x) == x \in Mut
Pos == 1..(MaxPos + 1)
HClock == now - lag
Holds == HClock < until
Idle == [ph |-> "idle", pos |-> 0]
Max(a, b) == IF a > b THEN a ELSE b

Init ==
  /\ now = 0 /\ lag = 0
  /\ file = [k \in Pos |-> "old"] /\ durable = {} /\ lost = 0
  /\ issued = 0 /\ synced = 0 /\ acked = 0 /\ until = Lease /\ dead = FALSE
  /\ hb = {} /\ granted = {} /\ ctrl = 1 /\ last = 0
  /\ st = "live" /\ end = 0
  /\ rc = [r \in Rcv |-> Idle] /\ succ = 0

Tick ==
  /\ now < MaxT /\ now' = now + 1
  /\ lag' \in {lag} \cup (IF lag < Drift \/ M("ClockStops") THEN {lag + 1} ELSE {})
  /\ UNCHANGED <<volume, holder, lease, log, rc, succ>>

----------------------------------------------------------------------------
(* The holder.                                                               *)
Accept ==            \* assign the offset, issue the write
  /\ ~dead /\ Holds /\ issued < MaxPos /\ issued' = issued + 1
  /\ UNCHANGED <<clock, volume, synced, acked, until, dead, lease, log, rc, succ>>

Land(k) ==           \* the volume takes a write; long after a fence, perhaps again
  /\ k <= issued /\ file[k] # "a"
  /\ file' = [file EXCEPT ![k] = "a"]
  /\ UNCHANGED <<clock, durable, lost, holder, lease, log, rc, succ>>

Sync ==              \* fdatasync returned for every write issued
  /\ ~dead /\ synced < issued
  /\ \A k \in 1..issued : file[k] = "a" \/ (M("SyncAgain") /\ lost > 0)
  /\ durable' = durable \cup {k \in 1..issued : file[k] = "a"} /\ synced' = issued
  /\ UNCHANGED <<clock, file, lost, issued, acked, until, dead, lease, log, rc, succ>>

Ack ==               \* AFTER fdatasync returned, the lease is looked at once more
  /\ ~dead /\ acked < synced /\ (Holds \/ M("NoRecheck"))
  /\ acked' = synced
  /\ UNCHANGED <<clock, volume, issued, synced, until, dead, lease, log, rc, succ>>

AckUnsynced ==       \* mutant: write() returned, fdatasync has not
  /\ M("AckUnsynced") /\ ~dead /\ Holds /\ acked < issued /\ \A k \in 1..issued : file[k] = "a"
  /\ acked' = issued
  /\ UNCHANGED <<clock, volume, issued, synced, until, dead, lease, log, rc, succ>>

Die ==
  /\ ~dead /\ dead' = TRUE
  /\ UNCHANGED <<clock, volume, issued, synced, acked, until, lease, log, rc, succ>>

(* Power loss, or fdatasync that reports an error (Linux then takes the      *)
(* pages for clean): what was not durable may be gone.  The holder ends.     *)
Lose(S) ==
  /\ lost < MayLose /\ S # {} /\ S \subseteq {k \in 1..issued : file[k] = "a" /\ k \notin durable}
  /\ file' = [k \in Pos |-> IF k \in S THEN "old" ELSE file[k]] /\ lost' = lost + 1
  /\ dead' = (dead \/ ~M("SyncAgain"))
  /\ UNCHANGED <<clock, durable, issued, synced, acked, until, lease, log, rc, succ>>

----------------------------------------------------------------------------
(* The lease.  It counts from when the holder sent the heartbeat.            *)
Heartbeat ==
  /\ ~dead /\ st = "live" /\ HClock > 0 /\ HClock \notin hb \cup granted
  /\ Cardinality(hb \cup granted) < MaxHb /\ hb' = hb \cup {HClock}
  /\ UNCHANGED <<clock, volume, holder, granted, ctrl, last, log, rc, succ>>

(* A controller answers only after an entry of its own was committed that it *)
(* sent after the heartbeat came: so it still was the controller then.       *)
(* One that holds a WAL itself reads the log instead: the heartbeat is when  *)
(* it sends that read, the grant where the log's end has no other's Claim.   *)
(* Nobody counts this: until there is a Claim nobody else fences.            *)
Grant(c, t) ==
  /\ t \in hb /\ t \notin granted /\ (st = "live" \/ M("GrantFenced"))
  /\ c = ctrl \/ (M("DeposedGrants") /\ c < ctrl)
  /\ granted' = granted \cup {t} /\ hb' = hb \ {t}
  /\ last' = IF c = ctrl /\ (HolderControls => c = 2) THEN now ELSE last
  /\ UNCHANGED <<clock, volume, holder, ctrl, log, rc, succ>>

Renew(t) ==
  /\ ~dead /\ t \in granted
  /\ until' = Max(until, IF M("FromReply") THEN HClock + Lease ELSE t + Lease) /\ until' # until
  /\ UNCHANGED <<clock, volume, issued, synced, acked, dead, lease, log, rc, succ>>

Claim ==             \* a new controller counts a full lease from its Claim on
  /\ ctrl = 1 /\ ctrl' = 2 /\ last' = IF M("NoFreshLease") THEN -(Lease + Drift) ELSE now
  /\ UNCHANGED <<clock, volume, holder, hb, granted, log, rc, succ>>

CommitFence ==
  /\ st = "live" /\ st' = "fenced" /\ (HolderControls => ctrl = 2)
  /\ \/ now >= last + Lease + (IF M("NoDrift") THEN 0 ELSE Drift)
     \/ M("RecoverWhileHeld")
  /\ UNCHANGED <<clock, volume, holder, lease, end, rc, succ>>

(* The same host starts the broker again: no wait, for the lock on the       *)
(* volume's directory proves that the old process is gone.                   *)
CommitRestart ==
  /\ st = "live" /\ (dead \/ M("NoLock")) /\ st' = "fenced"
  /\ UNCHANGED <<clock, volume, holder, lease, end, rc, succ>>

----------------------------------------------------------------------------
(* Recovery: read up to the first place that is not the next record, make    *)
(* what was read durable, commit its end.  The old files are never written.  *)
RECURSIVE RunFrom(_)
Good(k) == file[k] = "a" \/ (M("NoLabel") /\ file[k] = "old")
RunFrom(k) == IF k > MaxPos \/ ~Good(k) THEN k - 1 ELSE RunFrom(k + 1)
RRead(r) ==
  /\ rc[r].ph = "idle" /\ st = "fenced"
  /\ rc' = [rc EXCEPT ![r] = [ph |-> "read", pos |-> RunFrom(1)]]
  /\ UNCHANGED <<clock, volume, holder, lease, log, succ>>

RSync(r) ==          \* fdatasync and read again; when something is gone, start again
  LET n == rc[r].pos IN
  /\ rc[r].ph = "read"
  /\ IF RunFrom(1) >= n
     THEN /\ durable' = durable \cup {k \in 1..n : file[k] = "a"} /\ rc' = [rc EXCEPT ![r].ph = "safe"]
     ELSE /\ rc' = [rc EXCEPT ![r] = Idle] /\ UNCHANGED durable
  /\ UNCHANGED <<clock, file, lost, holder, lease, log, succ>>

CommitRecovered(r) ==
  /\ rc[r].ph = "safe" \/ (M("NoRecoverySync") /\ rc[r].ph = "read")
  /\ st = "fenced" /\ st' = "recovered" /\ end' = rc[r].pos
  /\ UNCHANGED <<clock, volume, holder, lease, rc, succ>>

Truncate(r) ==       \* mutant: the recoverer cuts off what lies beyond its end
  /\ M("Truncate") /\ rc[r].ph # "idle"
  /\ file' = [k \in Pos |-> IF k > rc[r].pos /\ k <= MaxPos THEN "cut" ELSE file[k]]
  /\ durable' = {k \in durable : k <= rc[r].pos \/ k > MaxPos}
  /\ UNCHANGED <<clock, lost, holder, lease, log, rc, succ>>

(* The successor appends its first record and acks it: in files of its own   *)
(* incarnation (MaxPos + 1 stands for these); mutant: at the end it found.   *)
Successor ==
  /\ st = "recovered" /\ succ = 0 /\ succ' = IF M("SameFile") THEN end + 1 ELSE MaxPos + 1
  /\ file' = [file EXCEPT ![succ'] = "b"] /\ durable' = durable \cup {succ'}
  /\ UNCHANGED <<clock, lost, holder, lease, log, rc>>

Next ==
  \/ Tick \/ Accept \/ Sync \/ Ack \/ AckUnsynced \/ Die \/ Heartbeat \/ Claim
  \/ CommitFence \/ CommitRestart \/ Successor
  \/ \E k \in 1..MaxPos : Land(k)
  \/ \E S \in SUBSET (1..MaxPos) : Lose(S)
  \/ \E t \in 0..MaxT : Renew(t) \/ \E c \in {1, 2} : Grant(c, t)
  \/ \E r \in Rcv : RRead(r) \/ RSync(r) \/ CommitRecovered(r) \/ Truncate(r)
Spec == Init /\ [][Next]_vars
----------------------------------------------------------------------------
NoAckedLoss     == st = "recovered" => acked <= end
HistoryReadable == st = "recovered" => \A k \in 1..end : file[k] = "a"
NoPhantom       == st = "recovered" => end <= issued
SuccessorKept   == succ # 0 => file[succ] = "b"
(* Acked is durable, at any time.                                            *)
AckedDurable    == \A k \in 1..acked : k \in durable
=============================================================================
