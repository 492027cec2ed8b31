// The only file that includes curl. Its functions are looked up by name, as libcurl is not linked with.
#include "protocol/http.hpp"

#include <curl/curl.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace pointsman {

namespace {

// The functions that are used; null if libcurl is not there.
struct Curl {
  Curl() : library_(::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    decltype(&curl_global_init) begin = nullptr;
    all_ = find(begin, "curl_global_init") && find(make, "curl_easy_init") && find(set, "curl_easy_setopt") &&
           find(perform, "curl_easy_perform") && find(get, "curl_easy_getinfo") &&
           find(free, "curl_easy_cleanup") && find(why, "curl_easy_strerror") &&
           find(append, "curl_slist_append") && find(free_list, "curl_slist_free_all") &&
           begin(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  }

  bool there() const { return all_; }

  decltype(&curl_easy_init) make = nullptr;
  decltype(&::curl_easy_setopt) set = nullptr;
  decltype(&curl_easy_perform) perform = nullptr;
  decltype(&::curl_easy_getinfo) get = nullptr;
  decltype(&curl_easy_cleanup) free = nullptr;
  decltype(&curl_easy_strerror) why = nullptr;
  decltype(&curl_slist_append) append = nullptr;
  decltype(&curl_slist_free_all) free_list = nullptr;

 private:
  template <class Function>
  bool find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    return function != nullptr;
  }

  void* const library_;
  bool all_ = false;
};

struct Body {
  std::string text;
  std::size_t most;
};

// Less than it was given ends the request.
std::size_t take(const char* bytes, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<Body*>(to);
  if (size * count > body.most - body.text.size()) return 0;
  body.text.append(bytes, size * count);
  return size * count;
}

}  // namespace

HttpAnswer post(const std::string& url, const std::string& body, Duration patience, std::size_t most,
                const std::string& token) {
  static const Curl curl;  // never unloaded: a thread may still be in it when the process ends
  if (!curl.there()) return {.problem = "libcurl is not there; on Debian: apt-get install libcurl4"};
  const std::unique_ptr<CURL, decltype(curl.free)> request(curl.make(), curl.free);
  std::unique_ptr<curl_slist, decltype(curl.free_list)> headers(
      curl.append(nullptr, "Content-Type: application/json"), curl.free_list);
  if (headers && !token.empty()) {
    curl_slist* longer = curl.append(headers.get(), ("Authorization: " + token).c_str());
    if (longer == nullptr) headers.reset();
  }
  if (!request || !headers) return {.problem = "no memory is left"};
  Body answer{{}, most};
  const auto ms = std::max<long>(1, std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
  const auto set = [&](CURLoption option, auto value) {
    return curl.set(request.get(), option, value) == CURLE_OK;
  };
  const bool ready =
      set(CURLOPT_URL, url.c_str()) && set(CURLOPT_PROTOCOLS_STR, "http,https") && set(CURLOPT_PROXY, "") &&
      set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_TIMEOUT_MS, ms) && set(CURLOPT_HTTPHEADER, headers.get()) &&
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size())) && set(CURLOPT_POSTFIELDS, body.c_str()) &&
      set(CURLOPT_WRITEFUNCTION, &take) && set(CURLOPT_WRITEDATA, static_cast<void*>(&answer));
  if (!ready) return {.problem = "libcurl is older than 7.85"};
  const CURLcode code = curl.perform(request.get());
  if (code == CURLE_WRITE_ERROR)
    return {.problem = "its answer is longer than " + std::to_string(most) + " bytes"};
  if (code != CURLE_OK) return {.problem = curl.why(code)};
  long status = 0;
  curl.get(request.get(), CURLINFO_RESPONSE_CODE, &status);
  return {.status = static_cast<int>(status), .body = std::move(answer.text)};
}

}  // namespace pointsman
