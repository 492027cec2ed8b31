// The table of invariants.

#include "test/sim/invariants.hpp"

#include <array>

namespace pointsman::sim {
namespace {

constexpr std::array table{
    // Leases.
    Invariant{1, false,
              "no session is granted at a worker that is silent, suspect, hung, under probe or draining"},
    Invariant{
        2, false,
        "the broker takes no lease for over before its term and grace have passed since it last heard of it"},
    Invariant{3, false, "no worker opens a session while its broker takes the lease for over"},
    Invariant{4, false, "lease numbers grow; one worker name has one lease at a time"},
    Invariant{5, false, "a message under a lease that is not current is refused as such and changes nothing"},
    Invariant{6, false, "a stall of the broker alone ends no lease: what it overslept is given back"},
    Invariant{7, false,
              "when most workers fall silent at once none is struck off for three terms, then few a second"},
    Invariant{78, false, "who is silent for two terms is struck off, unless most are; then in its turn"},
    Invariant{97, false,
              "leases of one connection, as long as each other, are told one moment for their renewal, five quarters of a "
              "heartbeat away at most"},
    // Assignment.
    Invariant{8, false, "a request has one session at most, until it was given up and is forgotten"},
    Invariant{9, false, "no worker, and no service of a worker, gets more sessions than it has slots"},
    Invariant{10, false,
              "the count of a worker's sessions is that of the list, at the broker and in the reference"},
    Invariant{11, false, "no count falls below zero"},
    Invariant{12, false, "a request is granted a worker that offers its service"},
    Invariant{13, false,
              "least-connections grants a seat of the least sessions by weight; two-choices never the worst"},
    Invariant{98, false,
              "shortest-expected-delay grants a seat of the least time for one session more than it has, by weight, of those "
              "whose workers have done any"},
    Invariant{88, false,
              "of workers that are level by least-connections a client gets one that it is connected to"},
    Invariant{14, false, "weighted-round-robin grants what a plain simulation of its definition grants"},
    Invariant{15, false, "nobody waits while a slot is free that it may have, not even until the next step"},
    Invariant{
        16, false,
        "of one service the request that comes first in line is granted first; positions are told right"},
    Invariant{17, false, "no request waits past its deadline, and none is refused as late before it"},
    Invariant{18, false, "no request is granted a worker that it excludes"},
    // Tickets.
    Invariant{19, false, "every session that is opened was granted for that worker, client and service"},
    Invariant{20, false, "no session is opened by another client than it was granted to"},
    Invariant{21, false, "no session is opened twice"},
    Invariant{22, false, "no session is opened after its ticket has expired"},
    Invariant{23, false, "a ticket that was altered in any bit, or is shown by another, opens nothing"},
    Invariant{24, false, "a worker holds no more sessions than it has slots, in all and of each service"},
    // Events.
    Invariant{
        25, false,
        "session events are applied in order, without a gap, each once; what is applied never goes back"},
    Invariant{26, false, "a message that comes a second time changes nothing (sampled)"},
    Invariant{27, false,
              "a session that its worker has reported closed is never the answer to a request again"},
    Invariant{28, true, "broker and worker hold the same sessions, after two renewals at most"},
    Invariant{29, false, "no reservation is older than its ticket, two heartbeats and a second"},
    Invariant{30, true, "nobody waits, or all slots are taken"},
    // The broker starts anew.
    Invariant{31, false, "the epoch of a new broker is larger, and so is every number that it gives"},
    Invariant{32, false, "a lease of a former broker is refused as unknown"},
    Invariant{33, true,
              "every worker is registered, with all its slots, within its term and the longest pause between "
              "two registrations"},
    // Resources.
    Invariant{35, false, "every line, map and memory is within its bound"},
    Invariant{36, false,
              "what is remembered of requests and tickets that are over is within its bound, and forgotten "
              "in time"},
    Invariant{37, false, "a message has a bounded number of answers; one of a stranger two at most"},
    // Security.
    Invariant{50, false, "a message changes only what belongs to its sender"},
    Invariant{52, false, "no key and no connection of another is in any message to a client"},
    // Clients and workers keep their word to the programs around them.
    Invariant{60, false,
              "the end of each session, call and question is told exactly once, and nothing after it"},
    Invariant{61, false, "no call outlives its limit"},
    Invariant{62, false, "a call gets its own answer, by one worker, its parts in order and each once"},
    Invariant{
        63, false,
        "a call is worked on once in a session, and in all once more than it may be given to another worker"},
    Invariant{64, false,
              "a worker serves one call of a session at a time, and only of sessions that are open"},
    Invariant{65, true, "clients come to an end with everything that they had begun"},
    Invariant{66, true, "every client is served, by every service"},
    // The supervisor.
    Invariant{80, false, "of each process one life runs at a time, and only those that are asked for"},
    Invariant{81, false, "what ends again and again is started with pauses"},
    Invariant{82, false, "what hangs is killed"},
    Invariant{83, false,
              "a worker is told of each of its sessions, at most notice_wait after it was granted"},
    Invariant{84, false,
              "a session that was released, or is not the answer, ends when its worker comes back with it"},
    Invariant{85, false,
              "a worker is asked for its list if its figures differ twice, or it opened what is not known; "
              "else not"},
    Invariant{86, false,
              "a worker that takes tickets begins no session later than a term after the last heartbeat that "
              "was answered"},
    Invariant{87, false,
              "a request is granted a worker that meets its condition and accepts its client, and none that "
              "it likes less"},
    // Tiers.
    Invariant{90, true, "a broker above counts of each kind of workers below all their slots, and under their names alone"},
    Invariant{91, false, "a client reaches each broker below once, and leaves only such"},
    Invariant{92, false, "without trouble no pass ends because nobody renewed it"},
    Invariant{93, false, "no client is sent in a circle unless there is one"},
    Invariant{94, false, "no client gives a pass back while it has a session by it"},
    Invariant{95, false, "a client asks a broker below only for what a pass led there"},
    Invariant{96, false, "a worker that leaves for another broker holds no session"},
    // Figures and form.
    Invariant{70, false, "without trouble, broker and workers never differ in their figures (no sync)"},
    Invariant{71, false, "the broker refuses exactly what the reference refuses, for the same reason"},
    Invariant{72, false,
              "the broker's lists are those of the reference: workers, sessions, who waits in which order"},
    Invariant{73, false, "what a core says can be written in both codecs and is read as it was"},
    Invariant{74, false, "an answer is written as its question was, and goes back its way"},
    Invariant{75, false, "a deadline moves on"},
    Invariant{76, false, "all checks of the cores themselves hold (MUST)"},
    Invariant{77, false, "the same seed gives the same story"},
    Invariant{79, false, "every step comes to an end"},
};

}  // namespace

std::span<const Invariant> invariants() { return table; }

}  // namespace pointsman::sim
