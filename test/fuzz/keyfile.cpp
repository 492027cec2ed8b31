// Fuzzes key files, which are read from the disk: here from a file in memory that has no name.

#include "protocol/keyfile.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "protocol/must.hpp"
#include "test/fuzz/list.hpp"

namespace pointsman::fuzz {

namespace {

class UnnamedFile {
 public:
  explicit UnnamedFile(std::string_view text) : file_(::memfd_create("key", MFD_CLOEXEC)) {
    MUST(file_ >= 0 && ::fchmod(file_, 0600) == 0);
    MUST(::write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  ~UnnamedFile() { ::close(file_); }
  UnnamedFile(const UnnamedFile&) = delete;
  UnnamedFile& operator=(const UnnamedFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

std::string shape_of(const std::string& key, const std::string& secret) { return "public " + key + "\nsecret " + secret + "\n"; }

}  // namespace

void run_keyfile(std::string_view input) {
  const UnnamedFile file(input);
  bool pair = false;
  try {
    MUST(!read_key_pair(file.path())->key.none());
    pair = true;
  } catch (const KeyError& error) {
    MUST(std::string_view(error.what()).size() > 12);
    // What is told of a file quotes no word of it that is as long as a key: it may be the secret.
    for (std::size_t begin = 0; begin < input.size();) {
      const std::size_t end = std::min(input.find_first_of(" \n", begin), input.size());
      if (end - begin >= 40)
        MUST(std::string_view(error.what()).find(input.substr(begin, 40)) == std::string_view::npos);
      begin = end + 1;
    }
  }
  try {
    MUST(!read_public_key(file.path()).none());
  } catch (const KeyError&) {
    MUST(!pair);
  }
}

std::vector<std::string> keyfile_seeds() {
  const std::string key = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
  const std::string secret = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
  return {shape_of(key, secret),
          "# a comment\n\n" + shape_of(key, secret),
          "public " + key + "\n",
          "secret " + secret + "\n",
          "secret " + secret + "\r\npublic " + key,
          shape_of(secret, key),
          shape_of(key, secret) + shape_of(key, secret),
          "public " + key.substr(1) + "\nsecret " + secret + " more\n"};
}

}  // namespace pointsman::fuzz
