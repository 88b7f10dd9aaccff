----------------------------- MODULE MCDiskWal -----------------------------
EXTENDS DiskWal, TLC
CONSTANTS ra, rb
Sym == Permutations(Rcv)
=============================================================================
