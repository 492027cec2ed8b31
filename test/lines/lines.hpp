// What a core and the program around it tell each other, as one line of text each. Scenarios and the simulator's stories
// are written in these, messages in the notation.

#pragma once

#include <string>

#include "broker/core/audit.hpp"
#include "broker/supervisor/core/events.hpp"
#include "clients/core/events.hpp"
#include "workers/core/events.hpp"

namespace pointsman {

// What a broker puts on record.
std::string line_of(const broker::Audit& record);

// A worker and its program.
std::string line_of(const workers::Answered& event);
std::string line_of(const workers::FailedCall& event);
std::string line_of(const workers::Progressed& event);
std::string line_of(const workers::Quiesce& event);
std::string line_of(const workers::Resize& event);
std::string line_of(const workers::Move& event);
std::string line_of(const workers::Stop& event);
std::string line_of(const workers::Enrolled& action);
std::string line_of(const workers::Denied& action);
std::string line_of(const workers::Serve& action);
std::string line_of(const workers::Abandoned& action);
std::string line_of(const workers::SessionBegan& action);
std::string line_of(const workers::SessionOver& action);
std::string line_of(const workers::Reconnect& action);
std::string line_of(const workers::Departed& action);
std::string line_of(const workers::Done& action);

// A client and its program.
std::string line_of(const clients::Acquire& event);
std::string line_of(const clients::CancelAcquire& event);
std::string line_of(const clients::Invoke& event);
std::string line_of(const clients::AbandonCall& event);
std::string line_of(const clients::RenewSession& event);
std::string line_of(const clients::ReleaseSession& event);
std::string line_of(const clients::Ask& event);
std::string line_of(const clients::Close& event);
std::string line_of(const clients::Connect& action);
std::string line_of(const clients::Disconnect& action);
std::string line_of(const clients::Reconnect& action);
std::string line_of(const clients::ReachBroker& action);
std::string line_of(const clients::LeaveBroker& action);
std::string line_of(const clients::Acquired& action);
std::string line_of(const clients::NotAcquired& action);
std::string line_of(const clients::Waiting& action);
std::string line_of(const clients::Part& action);
std::string line_of(const clients::CallFailed& action);
std::string line_of(const clients::SessionEnded& action);
std::string line_of(const clients::Answer& action);
std::string line_of(const clients::News& action);

// A supervisor and its processes.
std::string line_of(const supervisor::Started& event);
std::string line_of(const supervisor::StartFailed& event);
std::string line_of(const supervisor::Exited& event);
std::string line_of(const supervisor::Noticed& event);
std::string line_of(const supervisor::Measured& event);
std::string line_of(const supervisor::Shutdown& event);
std::string line_of(const supervisor::Start& action);
std::string line_of(const supervisor::Signal& action);
std::string line_of(const supervisor::KillTree& action);
std::string line_of(const supervisor::Reconnect& action);
std::string line_of(const supervisor::Ready& action);
std::string line_of(const supervisor::Say& action);
std::string line_of(const supervisor::Summary& action);
std::string line_of(const supervisor::Done& action);

}  // namespace pointsman
