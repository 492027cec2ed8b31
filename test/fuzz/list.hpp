// The functions behind the list of targets, a file each.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pointsman::fuzz {

// A body: decode, encode, decode is as decode. Both codecs.
void run_message(std::string_view input);
std::vector<std::string> message_seeds();

// The frames of one message: envelope, body, payload.
void run_incoming(std::string_view input);
std::vector<std::string> incoming_seeds();

// A line of the notation.
void run_notation(std::string_view input);
std::vector<std::string> notation_seeds();

// A ticket: what was altered is never taken.
void run_ticket(std::string_view input);
std::vector<std::string> ticket_seeds();

// A datagram by which brokers are found: what was sealed and altered is never taken.
void run_beacon(std::string_view input);
std::vector<std::string> beacon_seeds();

// The configuration file.
void run_config(std::string_view input);
std::vector<std::string> config_seeds();

// The file of allowed keys.
void run_allowed(std::string_view input);
std::vector<std::string> allowed_seeds();

// The file of a key pair.
void run_keyfile(std::string_view input);
std::vector<std::string> keyfile_seeds();

// A request to be let in, as libzmq hands it over.
void run_zap(std::string_view input);
std::vector<std::string> zap_seeds();

// Endpoints, durations, sizes and base64, as people write them.
void run_words(std::string_view input);
std::vector<std::string> words_seeds();

// Conditions and preferences, evaluated over attributes.
void run_condition(std::string_view input);
std::vector<std::string> condition_seeds();

// The cores: bytes are events, one after the other, and the moments between them.
void run_broker(std::string_view input);
std::vector<std::string> broker_seeds();
void run_worker(std::string_view input);
std::vector<std::string> worker_seeds();
void run_client(std::string_view input);
std::vector<std::string> client_seeds();
void run_supervisor(std::string_view input);
std::vector<std::string> supervisor_seeds();

}  // namespace pointsman::fuzz
