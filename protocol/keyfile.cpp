// Secrets are read into guarded memory at once, and never pass through a stream or a string.
#include "protocol/keyfile.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "protocol/must.hpp"
#include "protocol/names.hpp"

namespace pointsman {

namespace {

constexpr std::size_t file_max = 4096;  // bytes of a key file
static_assert(Secret::size == crypto_box_SECRETKEYBYTES);

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw KeyError("key file '" + path + "': " + why);
}

[[noreturn]] void fail_errno(const std::string& path, const std::string& what) {
  fail(path, what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return descriptor_; }
  bool close() { return ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_;
};

// Guarded memory for a file's text.
class Guarded {
 public:
  explicit Guarded(std::size_t size) : bytes_(static_cast<char*>(sodium_malloc(size))) {
    MUST(bytes_ != nullptr);
  }
  ~Guarded() { sodium_free(bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  char* data() { return bytes_; }

 private:
  char* bytes_;
};

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(descriptor, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

// The folder's entry is on disk, too.
void sync_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

void write_new(const std::string& path, std::string_view text, unsigned mode) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0 && errno == EEXIST)
    fail(path, "it is there already; choose another name, or remove it first");
  if (file.get() < 0) fail_errno(path, "cannot be made");
  const bool written =
      ::fchmod(file.get(), mode) == 0 && write_all(file.get(), text) && ::fsync(file.get()) == 0;
  if (!written || !file.close()) {
    const int why = errno;
    ::unlink(path.c_str());
    errno = why;
    fail_errno(path, "cannot be written");
  }
}

struct Opened {
  Descriptor file;
  std::size_t size;
};

Opened open_key(const std::string& path, bool secret) {
  Opened opened{Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)), 0};
  if (opened.file.get() < 0 && errno == ENOENT)
    fail(path, "it is not there; make one: pointsman keys make " + path);
  if (opened.file.get() < 0) fail_errno(path, "cannot be read");
  struct stat what {};
  if (::fstat(opened.file.get(), &what) != 0) fail_errno(path, "cannot be read");
  if (!S_ISREG(what.st_mode)) fail(path, "it is no file; name the one that `pointsman keys make` wrote");
  if (secret && (what.st_mode & 077) != 0) {
    fail(path, "others may read or change it, and it holds a secret; chmod 600 " + path +
                   ", and make a new key if somebody may have read it");
  }
  if (what.st_size <= 0 || static_cast<std::size_t>(what.st_size) > file_max) {
    fail(path, "it is empty or longer than " + std::to_string(file_max) + " bytes, so it is no key file");
  }
  opened.size = static_cast<std::size_t>(what.st_size);
  return opened;
}

// What stands behind `word ` on a line of its own; empty if nothing does.
std::string_view behind(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > word.size() && line.starts_with(word) && line[word.size()] == ' ') {
      return line.substr(word.size() + 1);
    }
  }
  return {};
}

// The text lies in `memory`.
std::string_view read_text(const std::string& path, const Opened& opened, Guarded& memory) {
  std::size_t size = 0;
  while (size < opened.size) {
    const ssize_t got = ::read(opened.file.get(), memory.data() + size, opened.size - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(path, "cannot be read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  return {memory.data(), size};
}

PublicKey public_in(const std::string& path, std::string_view text) {
  const auto key = key_from_z85(behind(text, "public"));
  if (!key) fail(path, "it has no line `public KEY`; name a file that `pointsman keys make` wrote");
  return *key;
}

void ready_sodium() { MUST(sodium_init() >= 0); }

}  // namespace

Secret::Secret() {
  ready_sodium();
  bytes_ = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (bytes_ == nullptr) throw KeyError("no guarded memory for a secret key; raise `ulimit -l`");
  sodium_memzero(bytes_, size);
}

Secret::~Secret() { sodium_free(bytes_); }
Secret::Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}

SharedKeyPair make_key_pair() {
  auto pair = std::make_shared<KeyPair>();
  MUST(crypto_box_keypair(pair->key.bytes.data(), pair->secret.data()) == 0);
  return pair;
}

void write_key_pair(const KeyPair& pair, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string open_part =
      "# Public key of " + name + ": for anybody to see.\npublic " + to_z85(pair.key) + "\n";
  const std::string head = "# Key pair of " + name +
                           ". The secret is for its owner alone: whoever has it is its owner.\npublic " +
                           to_z85(pair.key) + "\nsecret ";
  Guarded text(head.size() + key_text_size + 1);
  std::memcpy(text.data(), head.data(), head.size());
  z85_encode(pair.secret.data(), Secret::size, text.data() + head.size());
  text.data()[head.size() + key_text_size] = '\n';
  struct stat there {};
  if (::lstat((path + ".pub").c_str(), &there) == 0) {
    fail(path + ".pub", "it is there already; choose another name, or remove it first");
  }
  write_new(path, {text.data(), head.size() + key_text_size + 1}, 0600);
  write_new(path + ".pub", open_part, 0644);
  sync_folder(path);
}

SharedKeyPair read_key_pair(const std::string& path) {
  ready_sodium();
  const Opened opened = open_key(path, true);
  Guarded memory(opened.size);
  const std::string_view text = read_text(path, opened, memory);
  const std::string_view secret = behind(text, "secret");
  auto pair = std::make_shared<KeyPair>();
  pair->key = public_in(path, text);
  if (secret.empty()) fail(path, "it has a public key only; name the file without .pub");
  if (secret.size() != key_text_size || !z85_decode(secret, pair->secret.data())) {
    fail(path, "its line `secret KEY` is no key; make a new one: pointsman keys make FILE");
  }
  PublicKey belongs;
  MUST(crypto_scalarmult_base(belongs.bytes.data(), pair->secret.data()) == 0);
  if (belongs != pair->key)
    fail(path, "its secret does not belong to its public key; make a new one: pointsman keys make FILE");
  return pair;
}

PublicKey read_public_key(const std::string& path) {
  ready_sodium();
  const Opened opened = open_key(path, false);
  Guarded memory(opened.size);
  return public_in(path, read_text(path, opened, memory));
}

void write_realm_key(const std::string& path) {
  ready_sodium();
  const std::string head =
      "# Key of a realm: for all brokers, clients and workers of it, and for nobody else.\nrealm ";
  const Secret key = [] {
    Secret made;
    randombytes_buf(made.data(), Secret::size);
    return made;
  }();
  Guarded text(head.size() + key_text_size + 1);
  std::memcpy(text.data(), head.data(), head.size());
  z85_encode(key.data(), Secret::size, text.data() + head.size());
  text.data()[head.size() + key_text_size] = '\n';
  write_new(path, {text.data(), head.size() + key_text_size + 1}, 0600);
  sync_folder(path);
}

Bytes read_realm_key(const std::string& path) {
  ready_sodium();
  const Opened opened = open_key(path, true);
  Guarded memory(opened.size);
  const std::string_view secret = behind(read_text(path, opened, memory), "realm");
  Bytes key{std::string(Secret::size, '\0')};
  if (secret.size() != key_text_size ||
      !z85_decode(secret, reinterpret_cast<std::uint8_t*>(key.data.data()))) {
    fail(path, "it has no line `realm KEY`; make one: pointsman keys make --realm FILE");
  }
  hide_memory();
  return key;
}

PublicKey public_key_of(const std::string& given) {
  if (const auto key = key_from_z85(given)) return *key;
  if (given.size() == key_text_size && given.find('/') == std::string::npos &&
      ::access(given.c_str(), F_OK) != 0) {
    throw KeyError("'" + given +
                   "' is no public key and no file; copy the 40 characters from `pointsman keys show FILE`");
  }
  return read_public_key(given);
}

void hide_memory() {
  const char* wanted = std::getenv((std::string(environment_prefix) + "CORE_DUMPS").c_str());
  if (wanted != nullptr && std::string_view(wanted) == "1") return;
  ::prctl(PR_SET_DUMPABLE, 0);
}

void replace_file(const std::string& path, std::string_view text, unsigned mode) {
  struct stat what {};
  if (::stat(path.c_str(), &what) == 0) mode = what.st_mode & 0777;
  // Beside it: only within one file system is a change of names at once.
  const std::string beside = path + ".new-" + std::to_string(::getpid());
  ::unlink(beside.c_str());
  write_new(beside, text, mode);
  if (::rename(beside.c_str(), path.c_str()) != 0) {
    const int why = errno;
    ::unlink(beside.c_str());
    errno = why;
    fail_errno(path, "cannot be replaced");
  }
  sync_folder(path);
}

}  // namespace pointsman
