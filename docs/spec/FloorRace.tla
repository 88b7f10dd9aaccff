----------------------------- MODULE FloorRace ------------------------------
(* Liveness of compaction beside another broker's orphan collector: a        *)
(* compactor uploads and registers; a collector elsewhere raises OrphanFloor *)
(* as often as it likes.  Safety is in Obj2.tla: a Register below the floor  *)
(* is refused.  Does a compactor that starts again and again ever succeed?   *)
CONSTANT Mut
VARIABLES ph,       \* the compactor: idle, uploading, asking, done
          reported, \* the collector knows that an upload of this birth is under way
          below     \* the floor has passed the upload's birth
vars == <<ph, reported, below>>
Init  == ph = "idle" /\ reported = FALSE /\ below = FALSE
(* The name's birth is what the broker has applied, and the broker's         *)
(* heartbeat told it before the first byte is sent.                          *)
Start == ph = "idle" /\ ph' = "uploading" /\ reported' = ("FloorOfOne" \notin Mut) /\ below' = FALSE
Land  == ph = "uploading" /\ ph' = "asking" /\ UNCHANGED <<reported, below>>
Ask   == ph = "asking" /\ ph' = (IF below THEN "idle" ELSE "done") /\ reported' = FALSE /\ UNCHANGED below
Raise == ph # "done" /\ ~reported /\ below' = TRUE /\ UNCHANGED <<ph, reported>>
Next  == Start \/ Land \/ Ask \/ Raise
Spec  == Init /\ [][Next]_vars /\ WF_vars(Start) /\ WF_vars(Land) /\ WF_vars(Ask)
Registers == <>(ph = "done")
=============================================================================
