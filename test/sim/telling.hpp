// How the steps of any core are told.

#pragma once

#include <string>
#include <variant>

#include "protocol/notation.hpp"
#include "test/lines/lines.hpp"
#include "test/sim/story.hpp"
#include "test/sim/world.hpp"

namespace pointsman::sim {

// "broker > heard lease=2 beat=1", "stop", "broker gone"; empty for time that just passes.
template <class Event>
std::string told(const World& world, const Party& party, const Event& event) {
  return std::visit(
      [&](const auto& e) -> std::string {
        using E = std::remove_cvref_t<decltype(e)>;
        if constexpr (std::is_same_v<E, Elapsed>) return {};
        else if constexpr (std::is_same_v<E, Received>)
          return world.name_of(party, e.from) + " > " + to_line(e.message, e.payload);
        else if constexpr (std::is_same_v<E, Garbled>) return world.name_of(party, e.from) + " garbled";
        else if constexpr (std::is_same_v<E, Gone>) return world.name_of(party, {e.door, {}, e.peer, {}}) + " gone";
        else if constexpr (requires { line_of(e); }) return "program > " + line_of(e);
        else return "shutdown";
      },
      event);
}

// "    broker < heartbeat lease=2 beat=1", "    program < serve session=9 number=1".
template <class Action>
std::string said(const World& world, const Party& party, const Action& action) {
  return std::visit(
      [&](const auto& a) -> std::string {
        using A = std::remove_cvref_t<decltype(a)>;
        if constexpr (std::is_same_v<A, Send>)
          return "    " + world.name_of(party, a.to) + " < " + to_line(a.message, a.payload);
        else return "    program < " + line_of(a);
      },
      action);
}

// Steps a core as the simulation does: told, checked, and its actions returned.
template <class Actions, class Core, class Event>
Actions step_core(World& world, Story& story, const Party& party, Core& core, Event event, bool check) {
  if (story.wanted())
    if (const auto line = told(world, party, event); !line.empty()) story.tell(world.now(), party.name(), line);
  Actions actions;
  core.step(party.local(), std::move(event), actions);
  if (check) core.check();
  if (story.wanted())
    for (const auto& action : actions) story.tell(world.now(), party.name(), said(world, party, action));
  return actions;
}

}  // namespace pointsman::sim
