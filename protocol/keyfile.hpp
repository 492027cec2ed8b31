// Key files: a party's key pair on disk, and in memory while it runs.
//
// A file is text, `#` begins a comment line:
//   public Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID
//   secret D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs
// A file with a secret belongs to one user (mode 0600, or less) or is not read. A file of a public key has no
// secret line; by custom it is the same name with .pub behind.
//
// A secret is in one place of guarded memory (locked, left out of core dumps, wiped when freed). What libzmq
// copies of it is beyond our reach: hide_memory() keeps that out of core dumps, too. Thread safe. Problems of
// the world and of the file are thrown as KeyError.

#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "protocol/key.hpp"

namespace pointsman {

// what() names the file, the problem and the remedy.
struct KeyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// 32 secret bytes.
class Secret {
 public:
  Secret();  // all zero
  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&&) = delete;

  std::uint8_t* data() { return bytes_; }
  const std::uint8_t* data() const { return bytes_; }
  static constexpr std::size_t size = 32;

 private:
  std::uint8_t* bytes_ = nullptr;
};

struct KeyPair {
  PublicKey key;
  Secret secret;
};
using SharedKeyPair = std::shared_ptr<const KeyPair>;

// A new one, by chance.
SharedKeyPair make_key_pair();

// Writes `path` (0600) and `path`.pub (0644), and both to disk. Refuses to overwrite either.
void write_key_pair(const KeyPair& pair, const std::string& path);

// The pair in a file that nobody else may read.
SharedKeyPair read_key_pair(const std::string& path);

// The public key in a file of either kind. Nobody's secrets are looked at.
PublicKey read_public_key(const std::string& path);

// A secret that all parties of a realm share, by which they know each other's datagrams: 32 bytes, in a file of its own
// with a line `realm KEY`, readable by its owner only. Written as write_key_pair() does, without a second file.
void write_realm_key(const std::string& path);
Bytes read_realm_key(const std::string& path);

// `given` is a public key in Z85, or a file that has one.
PublicKey public_key_of(const std::string& given);

// Nothing of this process goes into core dumps, and no other process of the same user may look into it. Not
// for children that execute something else. $POINTSMAN_CORE_DUMPS=1: does nothing.
void hide_memory();

// Replaces the file at once and for good: whoever reads sees the old text or the new, also after a loss of
// power. Keeps its mode; a new file gets `mode`. Throws KeyError.
void replace_file(const std::string& path, std::string_view text, unsigned mode);

}  // namespace pointsman
