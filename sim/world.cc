#include "sim/world.h"

#include <algorithm>

#include "base/log.h"

namespace millrace::sim {
namespace {

constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kWallBegin = 1'750'000'000'000'000;  // microseconds; some day in 2025

// Where killed places and their timers rest, undestroyed, until the process ends.
template <class T>
void bury(T thing) {
  static auto* graveyard = new std::vector<T>();
  graveyard->push_back(std::move(thing));
}

}  // namespace

Duration SimClock::drifted(SteadyTime at) const { return (at - begin_) / kMillion * drift_ppm; }

SteadyTime SimClock::now() const { return world_.now_ + steady_skew + drifted(world_.now_); }

std::int64_t SimClock::wall_us() const {
  const Duration since = world_.now_.time_since_epoch() + skew + drifted(world_.now_);
  return kWallBegin + std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

// The first moment of the world at which this clock shows `own`.
SteadyTime SimClock::world_time_of(SteadyTime own) const {
  const Duration ahead = own - now();
  if (ahead <= Duration::zero()) return world_.now_;
  if (ahead > std::chrono::hours(1000)) return SteadyTime::max();
  SteadyTime at = world_.now_ + ahead - ahead / (kMillion + drift_ppm) * drift_ppm;
  while (at + steady_skew + drifted(at) < own) at += 1us;
  return at;
}

Clock::TimerId SimClock::call_at(SteadyTime when, std::move_only_function<void()> action) {
  const TimerId id = ++world_.last_timer_;
  const SteadyTime at = world_time_of(when);
  world_.timers_.emplace(std::pair(at, id), World::Timer{this, std::move(action)});
  world_.timer_times_.emplace(id, at);
  return id;
}

bool SimClock::cancel(TimerId id) {
  const auto when = world_.timer_times_.find(id);
  if (when == world_.timer_times_.end()) return false;
  world_.timers_.erase({when->second, id});
  world_.timer_times_.erase(when);
  return true;
}

Place::Place(World& world) : clock(world, world.now()), work(boost::asio::make_work_guard(context)) {}

void World::add_place(std::shared_ptr<Place>& place) {
  place = std::make_shared<Place>(*this);
  places_.push_back(place);
}

std::shared_ptr<Place> World::new_place() {
  std::shared_ptr<Place> place;
  add_place(place);
  return place;
}

void World::kill(Place& place) {
  trace("kill");
  place.clock.dead = true;
  for (auto at = timers_.begin(); at != timers_.end();) {
    if (at->second.owner != &place.clock) {
      ++at;
      continue;
    }
    timer_times_.erase(at->first.second);
    bury(std::move(at->second.action));
    at = timers_.erase(at);
  }
  const auto at = std::find_if(places_.begin(), places_.end(), [&](const auto& p) { return p.get() == &place; });
  CHECK(at != places_.end() && *at != main_);
  bury(*at);
  places_.erase(at);
}

void World::pause(Place& place, Duration duration) {
  trace("pause");
  place.clock.paused_until = std::max(place.clock.paused_until, now_ + duration);
  main_->clock.call_at(place.clock.paused_until, [this] { trace("resume"); });
}

bool World::run_one() {
  const std::size_t first = random_->below(places_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto place = places_[(first + i) % places_.size()];
    if (place->clock.paused_until > now_) continue;
    if (place->handlers >= place->die_at) {
      kill(*place);
      return true;
    }
    if (place->context.poll_one() > 0) {
      ++place->handlers;
      return true;
    }
  }
  return false;
}

bool World::advance(SteadyTime limit) {
  if (timers_.empty() || timers_.begin()->first.first > limit) return false;
  auto timer = timers_.extract(timers_.begin());
  now_ = timer.key().first;
  const Clock::TimerId id = timer.key().second;
  if (const SteadyTime later = timer.mapped().owner->paused_until; later > now_) {
    timer.key() = {later, id};
    timers_.insert(std::move(timer));
    timer_times_[id] = later;
    return true;
  }
  timer_times_.erase(id);
  timer.mapped().action();
  return true;
}

bool World::run_until(const bool& done, SteadyTime limit) {
  while (!done) {
    if (run_one()) continue;
    if (!advance(limit)) return done;
  }
  return true;
}

void World::trace(std::string_view what, std::string_view detail) {
  ++events_;
  const auto mix = [this](std::string_view text) {
    for (unsigned char c : text) hash_ = (hash_ ^ c) * 1099511628211u;
  };
  const auto ns = now_.time_since_epoch().count();
  mix({reinterpret_cast<const char*>(&ns), sizeof ns});
  mix(what);
  mix(detail);
  if (log_events_) LOG_INFO(what, {"ms", ns / 1'000'000 - 3'600'000}, {"of", std::string(detail)});
}

}  // namespace millrace::sim
