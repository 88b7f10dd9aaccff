// Faults: the weather of a run, drawn from its seed, and the injector that makes trouble while the storm lasts. Each
// kind is on in some seeds and off in others, so that they are met alone and together.
#pragma once

#include "sim/stage.h"

namespace millrace::sim {

// What may happen, and that it must not cost: no acknowledged record, no offset, no order, whatever happens at once.
struct Weather {
  Duration storm = 25s;
  Duration between_faults = 4s;  // at most
  bool pauses = false;           // a process stops for up to 40 s and does not know it
  bool clock_jumps = false;      // the wall clock of a process jumps by up to an hour, either way
  bool bucket_cuts = false;      // a process cannot reach the bucket, or hears nothing of it
  bool link_cuts = false;        // two brokers, or a broker and all others, one way or both
  bool client_cuts = false;      // clients cannot reach a broker, or hear nothing of it
  bool twins = false;            // a second process with the same broker id
  bool mass_kills = false;       // every process dies at once
  bool store_storms = false;     // the bucket refuses most requests for a while (503)
  bool moves = false;            // partitions are moved to other brokers, some at once
  bool leaves = false;           // a broker drains, ends in good order, and comes back
  bool disk_faults = false;      // a sync fails, a disk is full or slow for a while, power is lost in a write
  bool volume_moves = false;     // a broker is paused and started on another host, on its volume
  bool long_downs = false;       // a broker stays away for up to a minute
};

// `brokers`: so many; 0: the seed decides.
Weather draw_weather(Stage& stage, int brokers);
// Makes trouble until the clients' storm ends.
Task<void> make_trouble(Stage& stage, Weather weather);

}  // namespace millrace::sim
