// Randomness as a port: production takes it from the kernel, the simulation from its seed. Nothing
// else in Millrace makes random numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace millrace {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform enough for jitter and choices: [0, bound). bound must be > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  void fill(char* out, std::size_t size);
};

// Seeded (xoshiro256**): the same seed gives the same numbers on every machine.
std::unique_ptr<Random> make_seeded_random(std::uint64_t seed);
// Seeded from the kernel's generator. Not for key material. One thread each.
std::unique_ptr<Random> make_system_random();

}  // namespace millrace
